// Attention of one query: one work-group a (head, token). Online softmax over blocks of positions
// (Milakov, Gimelshein: "Online normalizer calculation for softmax", 2018); rows past the last
// position are never read.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"

layout(push_constant) uniform Push { AttentionParams p; };
layout(binding = 0, std430) readonly restrict buffer Qkv { float qkv[]; };         // [m, q k v]
layout(binding = 1, std430) readonly restrict buffer Step { uint step_[]; };       // position
layout(binding = 2, std430) readonly restrict buffer Keys { uint keys[]; };        // [capacity, kv_heads] rows
layout(binding = 3, std430) readonly restrict buffer Values { uint values[]; };
layout(binding = 4, std430) writeonly restrict buffer Result { float result[]; };  // [m, heads * head_dim]

const uint kBlock = 64;      // positions at a time
const uint kMaxDim = 256;    // the device refuses wider heads
const uint kOwned = (kMaxDim + kInvocations - 1) / kInvocations;  // elements of the result per invocation

shared float query[kMaxDim];
shared float weights[kBlock];

// Scores of `count` positions from `first` on.
void score(uint first, uint count, uint kv_head, float scale) {
  for (uint i = gl_LocalInvocationID.x; i < count; i += kInvocations) {
    const uint row = (first + i) * p.kv_heads + kv_head;
    float sum = 0.0;
    for (uint d = 0; d < p.head_dim; ++d) sum += ELEMENT(keys, row, p.head_dim, d) * query[d];
    weights[i] = sum * scale;
  }
}

void main() {
  const uint t = gl_WorkGroupID.y;
  const uint head = group_index();
  if (head >= p.heads) return;
  const uint kv_head = head / (p.heads / p.kv_heads);
  const uint width = (p.heads + 2 * p.kv_heads) * p.head_dim;
  const uint positions = step_[0] + t + 1;
  const float scale = inversesqrt(float(p.head_dim));
  for (uint d = gl_LocalInvocationID.x; d < p.head_dim; d += kInvocations) {
    query[d] = qkv[t * width + head * p.head_dim + d];
  }
  float sums[kOwned];
  [[unroll]] for (uint c = 0; c < kOwned; ++c) sums[c] = 0.0;
  float top = uintBitsToFloat(0xFF800000u);  // -infinity
  float total = 0.0;
  for (uint first = 0; first < positions; first += kBlock) {
    const uint count = min(kBlock, positions - first);
    barrier();
    score(first, count, kv_head, scale);
    barrier();
    float block_top = top;
    for (uint i = 0; i < count; ++i) block_top = max(block_top, weights[i]);
    const float shrink = exp(top - block_top);
    top = block_top;
    barrier();
    for (uint i = gl_LocalInvocationID.x; i < count; i += kInvocations) {
      weights[i] = exp(weights[i] - top);
    }
    barrier();
    total *= shrink;
    for (uint i = 0; i < count; ++i) total += weights[i];
    [[unroll]] for (uint c = 0; c < kOwned; ++c) {
      const uint d = gl_LocalInvocationID.x + c * kInvocations;
      if (d >= p.head_dim) break;
      float sum = sums[c] * shrink;
      for (uint i = 0; i < count; ++i) {
        sum += weights[i] * ELEMENT(values, (first + i) * p.kv_heads + kv_head, p.head_dim, d);
      }
      sums[c] = sum;
    }
  }
  [[unroll]] for (uint c = 0; c < kOwned; ++c) {
    const uint d = gl_LocalInvocationID.x + c * kInvocations;
    if (d < p.head_dim) result[(t * p.heads + head) * p.head_dim + d] = sums[c] / total;
  }
}
