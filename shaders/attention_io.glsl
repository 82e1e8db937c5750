// Bindings of Attention, and eight elements of its rows at a time; elements behind the end of a row are
// zeros.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"

layout(push_constant) uniform Push { AttentionParams p; };
layout(binding = 0, std430) readonly restrict buffer Qkv { float qkv[]; };  // [m, q k v]
layout(binding = 1, std430) readonly restrict buffer Step { uint step_[]; };  // position
layout(binding = 2, std430) readonly buffer Keys { uint keys[]; };  // [capacity, kv_heads] rows
layout(binding = 2, std430) readonly buffer KeysWide { uvec4 keys_wide[]; };  // the same
layout(binding = 3, std430) readonly buffer Values { uint values[]; };
layout(binding = 3, std430) readonly buffer ValuesWide { uvec4 values_wide[]; };
layout(binding = 4, std430) writeonly restrict buffer Result { float result[]; };  // [m, heads * head_dim]

// One of the eight, where rows are no multiple of it.
#define SLOW_EIGHT(words, row, d)                                                    \
  Eight e = Eight(vec4(0.0), vec4(0.0));                                             \
  for (uint i = 0; i < 4; ++i) {                                                     \
    if (d + i < p.head_dim) e.low[i] = ELEMENT(words, row, p.head_dim, d + i);       \
    if (d + 4 + i < p.head_dim) e.high[i] = ELEMENT(words, row, p.head_dim, d + 4 + i); \
  }                                                                                  \
  return e;

Eight key_eight(uint row, uint d) {
  if (p.head_dim % 8 == 0) return EIGHT(keys, keys_wide, row, p.head_dim, d);
  SLOW_EIGHT(keys, row, d)
}

Eight value_eight(uint row, uint d) {
  if (p.head_dim % 8 == 0) return EIGHT(values, values_wide, row, p.head_dim, d);
  SLOW_EIGHT(values, row, d)
}

vec4 query_four(uint t, uint head, uint d) {
  const uint at = t * (p.heads + 2 * p.kv_heads) * p.head_dim + head * p.head_dim;
  vec4 q = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (d + i < p.head_dim) q[i] = qkv[at + d + i];
  }
  return q;
}

void store_four(uint t, uint head, uint d, vec4 four) {
  const uint at = (t * p.heads + head) * p.head_dim;
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (d + i < p.head_dim) result[at + d + i] = four[i];
  }
}
