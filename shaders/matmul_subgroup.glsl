// Rows summed over a subgroup of any size. Each subgroup takes kRowsAtOnce rows at a time, so that
// activations are loaded once for all of them.
#extension GL_KHR_shader_subgroup_arithmetic : require
#include "shaders/matmul.glsl"

const uint kRowsAtOnce = 4;  // divides the padding of rows to 16: rows past n are there to be read

void main() {
  // Counted, not assumed: a driver may leave a subgroup partly filled.
  const uint lanes = subgroupAdd(1u);
  const uint lane = subgroupExclusiveAdd(1u);
  const uint blocks = p.stride / 64;
  for (uint first = gl_SubgroupID * kRowsAtOnce; first < kRows;
       first += gl_NumSubgroups * kRowsAtOnce) {
    const uint row = group_index() * kRows + first;
    if (row >= p.n) return;
    for (uint i = 0; i < kTokens; ++i) {
      const uint t = gl_WorkGroupID.y * kTokens + i;
      if (t >= p.m) break;
      int acc[kRowsAtOnce];
      [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) acc[r] = 0;
      for (uint b = lane; b < blocks; b += 2 * lanes) {
        // Two blocks at a time, all loads before the first use; behind the last block stand zeros.
        const uint next = b + lanes;
        uvec4 words[2][kRowsAtOnce];
        [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) {
          words[0][r] = weights[(row + r) * blocks + b];
          words[1][r] = next < blocks ? weights[(row + r) * blocks + next] : uvec4(0);
        }
        [[unroll]] for (uint i = 0; i < 2; ++i) {
          const uint at = t * (p.stride / 16) + 4 * (i == 0 || next >= blocks ? b : next);
          const uvec4 q[4] = {codes[at], codes[at + 1], codes[at + 2], codes[at + 3]};
          [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) {
            const uvec4 w = words[i][r];
            acc[r] += dot16(w.x, q[0]) + dot16(w.y, q[1]) + dot16(w.z, q[2]) + dot16(w.w, q[3]);
          }
        }
      }
      [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) {
        const int sum = subgroupAdd(acc[r]);
        if (lane == r % lanes && row + r < p.n) store_product(t, row + r, sum);
      }
    }
  }
}
