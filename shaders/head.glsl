// Logits: rows of the table times the normed hidden state, kLanes invocations a row.
#include "shaders/common.glsl"
#include "shaders/reduce.glsl"
#include "shaders/rows.glsl"

layout(push_constant) uniform Push { HeadParams p; };
layout(binding = 0, std430) readonly restrict buffer X { float x[]; };             // [m, k]
layout(binding = 1, std430) readonly restrict buffer Table { uint table[]; };      // [n] rows
layout(binding = 2, std430) writeonly restrict buffer Logits { float logits[]; };  // [m, out_stride]

void main() {
  const uint lane = gl_LocalInvocationID.x % kLanes;
  const uint rows_at_once = kInvocations / kLanes;
  for (uint first = 0; first < kRows; first += rows_at_once) {
    const uint in_tile = first + gl_LocalInvocationID.x / kLanes;
    const uint row = group_index() * kRows + in_tile;
    const bool inside = in_tile < kRows && row < p.n;
    for (uint i = 0; i < kTokens; ++i) {
      const uint t = gl_WorkGroupID.y * kTokens + i;
      float acc = 0;
      if (inside && t < p.m) {
        for (uint j = lane; j < p.k; j += kLanes) acc += ELEMENT(table, row, p.k, j) * x[t * p.k + j];
      }
      acc = sum_over_lanes(acc);
      if (inside && t < p.m && lane == 0) logits[t * p.out_stride + row] = acc;
    }
  }
}
