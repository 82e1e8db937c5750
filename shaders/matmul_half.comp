#version 450
// Activations in half precision; products with -1, 0, +1 are exact there, sums are f32.
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "shaders/common.glsl"
#include "shaders/reduce.glsl"

layout(push_constant) uniform Push { MatmulParams p; };
layout(binding = 0, std430) readonly restrict buffer X { f16vec4 x[]; };              // [m, stride / 4]
layout(binding = 1, std430) readonly restrict buffer Weights { uint weights[]; };     // [n16, stride / 16]
layout(binding = 2, std430) readonly restrict buffer Scales { float scales[]; };      // [n]
layout(binding = 3, std430) writeonly restrict buffer Product { float product[]; };   // [m, n]

f16vec4 trits(uint four) {
  return f16vec4(ivec4(four & 3u, (four >> 8) & 3u, (four >> 16) & 3u, (four >> 24) & 3u) - 1);
}

// Sixteen columns.
float dot16(uint word, uint at) {
  float sum = 0;
  [[unroll]] for (uint j = 0; j < 4; ++j) {
    const f16vec4 products = trits(word >> (2 * j)) * x[at + j];
    sum += (float(products.x) + float(products.y)) + (float(products.z) + float(products.w));
  }
  return sum;
}

void main() {
  const uint lane = gl_LocalInvocationID.x % kLanes;
  const uint words = p.stride / 16;
  const uint rows_at_once = kInvocations / kLanes;
  for (uint first = 0; first < kRows; first += rows_at_once) {
    const uint in_tile = first + gl_LocalInvocationID.x / kLanes;
    const uint row = group_index() * kRows + in_tile;
    const bool inside = in_tile < kRows && row < p.n;
    for (uint i = 0; i < kTokens; ++i) {
      const uint t = gl_WorkGroupID.y * kTokens + i;
      float acc = 0;
      if (inside && t < p.m) {
        for (uint w = lane; w < words; w += kLanes) {
          acc += dot16(weights[row * words + w], (t * words + w) * 4);
        }
      }
      acc = sum_over_lanes(acc);
      if (inside && t < p.m && lane == 0) product[t * p.n + row] = scales[row] * acc;
    }
  }
}
