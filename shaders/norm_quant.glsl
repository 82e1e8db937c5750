// The quantiser behind the norm: int8 codes, their scale and their sum. Includers also declare
// gain[], codes[] (words of four) and tokens[].
#include "shaders/norm.glsl"

uint top_bits(uint top, vec4 y) {
  const uvec4 bits = floatBitsToUint(y) & 0x7FFFFFFFu;
  return max(top, max(max(bits.x, bits.y), max(bits.z, bits.w)));
}

// max(max |y|, 1e-5) on bit patterns, where a NaN beats all and so stays visible. From here on the
// registers hold y.
float top_of(uint t, float inverse) {
  uint top = floatBitsToUint(1e-5);
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    held[c] = normed(held[c], first_of(c), inverse);
    top = top_bits(top, held[c]);
  }
  for (uint j = first_of(kHeld); j < p.k; j += kStep) {
    top = top_bits(top, normed(four(t, j), j, inverse));
  }
  return uintBitsToFloat(max_over_group(top));
}

// Stores the codes of elements j to j + 3, zeros behind the end of the row; their sum.
int store_codes(uint t, uint j, vec4 y, float steps) {
  int sum = 0;
  uint word = 0;
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    precise float v = y[i] * steps;
    const int code = j + i < p.k ? round_code(v) : 0;
    sum += code;
    word |= (uint(code) & 0xFFu) << (8 * i);
  }
  codes[(t * p.stride + j) / 4] = word;
  return sum;
}

void main() {
  const uint t = gl_WorkGroupID.y;
  const float inverse = inverse_rms(t);
  const float top = top_of(t, inverse);
  const float steps = quantiser_steps(top);
  int sum = 0;
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    if (first_of(c) < p.stride) sum += store_codes(t, first_of(c), held[c], steps);
  }
  for (uint j = first_of(kHeld); j < p.stride; j += kStep) {
    sum += store_codes(t, j, normed(four(t, j), j, inverse), steps);
  }
  sum = sum_over_group(sum);
  if (gl_LocalInvocationID.x == 0) {
    precise float scale = top * kUnit;
    tokens[t].scale = scale;
    tokens[t].sum = sum;
  }
}
