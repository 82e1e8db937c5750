#version 450
// One byte per weight, read and multiplied as 8-bit types: what the packed rows have to beat.
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#include "shaders/common.glsl"
#include "shaders/reduce.glsl"

layout(push_constant) uniform Push { MatmulParams p; };
layout(binding = 0, std430) readonly restrict buffer Codes { i8vec4 codes[]; };         // [m, stride / 4]
layout(binding = 1, std430) readonly restrict buffer Tokens { TokenScale tokens[]; };   // [m]
layout(binding = 2, std430) readonly restrict buffer Weights { i8vec4 weights[]; };     // [n16, stride / 4]
layout(binding = 3, std430) readonly restrict buffer Scales { float scales[]; };        // [n]
layout(binding = 4, std430) writeonly restrict buffer Product { float product[]; };     // [m, n]

void main() {
  const uint lane = gl_LocalInvocationID.x % kLanes;
  const uint words = p.stride / 4;
  const uint rows_at_once = kInvocations / kLanes;
  for (uint first = 0; first < kRows; first += rows_at_once) {
    const uint in_tile = first + gl_LocalInvocationID.x / kLanes;
    const uint row = group_index() * kRows + in_tile;
    const bool inside = in_tile < kRows && row < p.n;
    for (uint i = 0; i < kTokens; ++i) {
      const uint t = gl_WorkGroupID.y * kTokens + i;
      int acc = 0;
      if (inside && t < p.m) {
        for (uint j = lane; j < words; j += kLanes) {
          const ivec4 products = ivec4(weights[row * words + j]) * ivec4(codes[t * words + j]);
          acc += products.x + products.y + products.z + products.w;
        }
      }
      acc = sum_over_lanes(acc);
      if (inside && t < p.m && lane == 0) {
        precise float scale = scales[row] * tokens[t].scale;
        precise float value = float(acc) * scale;
        product[t * p.n + row] = value;
      }
    }
  }
}
