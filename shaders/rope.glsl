// Rotates queries in place and puts rotated keys, and values, into the cache. One work-group a head
// vector: query heads first, then key heads, then value heads.
#include "shaders/common.glsl"
#include "shaders/exact.glsl"
#include "shaders/rows.glsl"

layout(push_constant) uniform Push { AttentionParams p; };
layout(binding = 0, std430) restrict buffer Qkv { float qkv[]; };                // [m, q k v]
layout(binding = 1, std430) readonly restrict buffer Step { uint step_[]; };     // position
layout(binding = 2, std430) readonly restrict buffer Angles { float angles[]; }; // [capacity, cos sin]
layout(binding = 3, std430) restrict buffer Keys { uint keys[]; };               // [capacity, kv_heads] rows
layout(binding = 4, std430) restrict buffer Values { uint values[]; };

shared uint top_bits;

// z[d] cos -+ z[d +- half] sin, of the head vector at z, with the angles at `at`.
float rotated(uint z, uint at, uint d) {
  const uint half_dim = p.head_dim / 2;
  const uint i = d < half_dim ? d : d - half_dim;
  const float cosine = angles[at + i];
  const float sine = angles[at + half_dim + i];
  precise float low = qkv[z + i] * cosine - qkv[z + i + half_dim] * sine;
  precise float high = qkv[z + i + half_dim] * cosine + qkv[z + i] * sine;
  return d < half_dim ? low : high;
}

void rotate_query(uint z, uint at) {
  const uint half_dim = p.head_dim / 2;
  for (uint i = gl_LocalInvocationID.x; i < half_dim; i += kInvocations) {
    const float low = rotated(z, at, i);
    const float high = rotated(z, at, i + half_dim);
    qkv[z + i] = low;
    qkv[z + i + half_dim] = high;
  }
}

// Element d of the row to be stored.
float stored(bool is_key, uint z, uint at, uint d) {
  return is_key ? rotated(z, at, d) : qkv[z + d];
}

// max |element| of the row, by bit patterns; every invocation gets it.
float top_of_row(bool is_key, uint z, uint at) {
  if (gl_LocalInvocationID.x == 0) top_bits = 0;
  barrier();
  uint top = 0;
  for (uint d = gl_LocalInvocationID.x; d < p.head_dim; d += kInvocations) {
    top = max(top, floatBitsToUint(stored(is_key, z, at, d)) & 0x7FFFFFFFu);
  }
  atomicMax(top_bits, top);
  barrier();
  return uintBitsToFloat(top_bits);
}

// Word w of the row as it lies in the cache.
uint row_word(bool is_key, uint z, uint at, uint w, float steps) {
#if defined(ROTOR_F32)
  return floatBitsToUint(stored(is_key, z, at, w));
#elif defined(ROTOR_F16)
  return half_bits(stored(is_key, z, at, 2 * w)) | half_bits(stored(is_key, z, at, 2 * w + 1)) << 16;
#else
  uint word = 0;
  for (uint d = 4 * w; d < min(4 * w + 4, p.head_dim); ++d) {
    precise float v = stored(is_key, z, at, d) * steps;
    word |= (uint(round_code(v)) & 0xFFu) << (8 * (d % 4));
  }
  return word;
#endif
}

void main() {
  const uint t = gl_WorkGroupID.y;
  const uint vector = group_index();
  if (vector >= p.heads + 2 * p.kv_heads) return;
  const uint position = step_[0] + t;
  const uint z = (t * (p.heads + 2 * p.kv_heads) + vector) * p.head_dim;
  const uint at = position * p.head_dim;
  if (vector < p.heads) {
    rotate_query(z, at);
    return;
  }
  const bool is_key = vector < p.heads + p.kv_heads;
  const uint kv_head = vector - p.heads - (is_key ? 0 : p.kv_heads);
  const uint row = (position * p.kv_heads + kv_head) * row_words(p.head_dim);
  uint words = row_words(p.head_dim);
  float steps = 0.0;
#if defined(ROTOR_INT8ROW)
  const float top = top_of_row(is_key, z, at);
  // Below 2^-120 the quotient overflows; such rows become zeros (kernels/packing_rows.cpp).
  if (top >= uintBitsToFloat(0x03800000u)) steps = quantiser_steps(top);
  --words;
  if (gl_LocalInvocationID.x == 0) {
    precise float scale = top * kUnit;
    if (is_key) keys[row + words] = floatBitsToUint(scale);
    else values[row + words] = floatBitsToUint(scale);
  }
#endif
  for (uint w = gl_LocalInvocationID.x; w < words; w += kInvocations) {
    const uint word = row_word(is_key, z, at, w, steps);
    if (is_key) keys[row + w] = word;
    else values[row + w] = word;
  }
}
