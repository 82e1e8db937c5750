// Bindings and epilogue of Matmul on weights of two bits; the codes 0, 1, 2 stand for -1, 0, 1.
// Bits 8b + 2j of weight word i hold the code of column 16i + 4j + b, so that (word >> 2j) & 0x03030303
// lines up with the activation word 4i + j.
#include "shaders/common.glsl"

layout(push_constant) uniform Push { MatmulParams p; };
layout(binding = 0, std430) readonly restrict buffer Codes { uvec4 codes[]; };          // [m, stride / 16]
layout(binding = 1, std430) readonly restrict buffer Tokens { TokenScale tokens[]; };   // [m]
layout(binding = 2, std430) readonly restrict buffer Weights { uvec4 weights[]; };      // [n16, stride / 64]
layout(binding = 3, std430) readonly restrict buffer Scales { float scales[]; };        // [n]
layout(binding = 4, std430) writeonly restrict buffer Product { float product[]; };     // [m, n]

#ifdef ROTOR_PACKED_DOT
#include "shaders/packed_dot.glsl"
// Codes up to 2 are the same signed or not.
int dot4(uint trits, uint q) { return packed_dot(int(trits), int(q), 0); }
#else
int dot4(uint trits, uint q) {
  return int(trits & 3u) * byte_of(q, 0) + int((trits >> 8) & 3u) * byte_of(q, 1) +
         int((trits >> 16) & 3u) * byte_of(q, 2) + int(trits >> 24) * byte_of(q, 3);
}
#endif

// Sixteen columns: one weight word, four activation words.
int dot16(uint word, uvec4 q) {
  return dot4(word & 0x03030303u, q.x) + dot4((word >> 2) & 0x03030303u, q.y) +
         dot4((word >> 4) & 0x03030303u, q.z) + dot4((word >> 6) & 0x03030303u, q.w);
}

// Sixty-four columns of token t, from block `block` on.
int dot64(uvec4 words, uint t, uint block) {
  const uint at = t * (p.stride / 16) + 4 * block;
  return dot16(words.x, codes[at]) + dot16(words.y, codes[at + 1]) +
         dot16(words.z, codes[at + 2]) + dot16(words.w, codes[at + 3]);
}

// The contract's epilogue: these multiplications in this order. `acc` is a sum over codes, not trits.
float scaled_product(int acc, float row_scale, TokenScale token) {
  precise float scale = row_scale * token.scale;
  precise float value = float(acc - token.sum) * scale;
  return value;
}

void store_product(uint t, uint row, int acc) {
  product[t * p.n + row] = scaled_product(acc, scales[row], tokens[t]);
}
