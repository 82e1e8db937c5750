// Dot products of packed weights and codes, as the kernels whose work-groups stay on the device do them.
#include "shaders/packed_dot.glsl"

int dot4(uint q, uint bytes) { return packed_dot(int(q), int(bytes), 0); }

// Adds sixteen columns. Two bits of a byte where they lie, without a shift, stand for 1, 4 or 16 times a
// code: sums of each kind are kept apart. The upper two are shifted, or they would be a sign, and have a sum
// of their own so that none waits for another.
ivec4 add_dot16(ivec4 acc, uint word, uvec4 q) {
  acc.x += dot4(q.x, word & 0x03030303u);
  acc.y += dot4(q.y, word & 0x0C0C0C0Cu);
  acc.z += dot4(q.z, word & 0x30303030u);
  acc.w += dot4(q.w, (word >> 6) & 0x03030303u);
  return acc;
}
int unscaled(ivec4 acc) { return acc.x + (acc.y >> 2) + (acc.z >> 4) + acc.w; }
