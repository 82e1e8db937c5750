// The quantiser behind the norm: int8 codes, their scale and their sum. Includers also declare
// gain[], codes[] (words of four) and tokens[].
#include "shaders/norm.glsl"

shared uint top_bits;
shared int code_sum;

float normed(uint t, uint j, float inverse) {
  precise float y = value(t, j) * inverse * gain[j];
  return y;
}

// max(max |y|, 1e-5) on bit patterns, where a NaN beats all and so stays visible.
float top_of(uint t, float inverse) {
  uint top = floatBitsToUint(1e-5);
  for (uint j = 4 * gl_LocalInvocationID.x; j < p.k; j += 4 * kInvocations) {
    for (uint i = j; i < min(j + 4, p.k); ++i) {
      top = max(top, floatBitsToUint(normed(t, i, inverse)) & 0x7FFFFFFFu);
    }
  }
  atomicMax(top_bits, top);
  barrier();
  return uintBitsToFloat(top_bits);
}

void main() {
  const uint t = gl_WorkGroupID.y;
  if (gl_LocalInvocationID.x == 0) {
    top_bits = 0;
    code_sum = 0;
  }
  const float inverse = inverse_rms(t);  // has barriers
  const float top = top_of(t, inverse);
  const float steps = quantiser_steps(top);
  int sum = 0;
  for (uint j = 4 * gl_LocalInvocationID.x; j < p.stride; j += 4 * kInvocations) {
    uint word = 0;
    for (uint i = 0; i < 4; ++i) {
      if (j + i >= p.k) break;
      precise float v = normed(t, j + i, inverse) * steps;
      const int code = round_code(v);
      sum += code;
      word |= (uint(code) & 0xFFu) << (8 * i);
    }
    codes[(t * p.stride + j) / 4] = word;
  }
  atomicAdd(code_sum, sum);
  barrier();
  if (gl_LocalInvocationID.x == 0) {
    precise float scale = top * kUnit;
    tokens[t].scale = scale;
    tokens[t].sum = code_sum;
  }
}
