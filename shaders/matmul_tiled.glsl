// Batches: a work-group computes kRows x kTokens outputs, four by four an invocation, in steps of 64
// columns whose weights (unpacked once) and activations lie in shared memory.
#include "shaders/matmul.glsl"

const uint kRowGroups = kRows / 4;
const uint kTokenGroups = kTokens / 4;  // kInvocations = kRowGroups * kTokenGroups

shared uvec4 tile_weights[4 * kRows];   // [16 columns][row]
shared uvec4 tile_codes[4 * kTokens];   // [16 columns][token]

void load_tile(uint first_row, uint first_token, uint block) {
  const uint blocks = p.stride / 64;
  for (uint r = gl_LocalInvocationID.x; r < kRows; r += kInvocations) {
    const uint row = first_row + r;
    const uvec4 words = row < p.n ? weights[row * blocks + block] : uvec4(0);
    [[unroll]] for (uint i = 0; i < 4; ++i) {
      tile_weights[i * kRows + r] =
          uvec4(words[i], words[i] >> 2, words[i] >> 4, words[i] >> 6) & 0x03030303u;
    }
  }
  for (uint i = gl_LocalInvocationID.x; i < 4 * kTokens; i += kInvocations) {
    const uint t = first_token + i / 4;
    tile_codes[i % 4 * kTokens + i / 4] =
        t < p.m ? codes[t * (p.stride / 16) + 4 * block + i % 4] : uvec4(0);
  }
}

void main() {
  const uint first_row = group_index() * kRows;
  const uint first_token = gl_WorkGroupID.y * kTokens;
  const uint r0 = gl_LocalInvocationID.x % kRowGroups;
  const uint t0 = gl_LocalInvocationID.x / kRowGroups;
  int acc[4][4];
  [[unroll]] for (uint r = 0; r < 4; ++r) {
    [[unroll]] for (uint t = 0; t < 4; ++t) acc[r][t] = 0;
  }
  for (uint block = 0; block < p.stride / 64; ++block) {
    barrier();
    load_tile(first_row, first_token, block);
    barrier();
    [[unroll]] for (uint i = 0; i < 4; ++i) {
      uvec4 q[4];
      [[unroll]] for (uint t = 0; t < 4; ++t) q[t] = tile_codes[i * kTokens + t0 + t * kTokenGroups];
      [[unroll]] for (uint r = 0; r < 4; ++r) {
        const uvec4 w = tile_weights[i * kRows + r0 + r * kRowGroups];
        [[unroll]] for (uint t = 0; t < 4; ++t) {
          acc[r][t] += dot4(w.x, q[t].x) + dot4(w.y, q[t].y) + dot4(w.z, q[t].z) +
                       dot4(w.w, q[t].w);
        }
      }
    }
  }
  [[unroll]] for (uint t = 0; t < 4; ++t) {
    [[unroll]] for (uint r = 0; r < 4; ++r) {
      const uint row = first_row + r0 + r * kRowGroups;
      const uint token = first_token + t0 + t * kTokenGroups;
      if (row < p.n && token < p.m) store_product(token, row, acc[r][t]);
    }
  }
}
