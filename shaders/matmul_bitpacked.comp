#version 450
// Two bits per weight with nothing but Vulkan's minimum: no subgroups, no dot product. kLanes
// neighbours share a row, so that they read it together, 16 bytes each.
#include "shaders/matmul.glsl"
#include "shaders/reduce.glsl"

void main() {
  const uint lane = gl_LocalInvocationID.x % kLanes;
  const uint blocks = p.stride / 64;
  const uint rows_at_once = kInvocations / kLanes;
  for (uint first = 0; first < kRows; first += rows_at_once) {
    const uint in_tile = first + gl_LocalInvocationID.x / kLanes;
    const uint row = group_index() * kRows + in_tile;
    const bool inside = in_tile < kRows && row < p.n;
    for (uint i = 0; i < kTokens; ++i) {
      const uint t = gl_WorkGroupID.y * kTokens + i;
      int acc = 0;
      if (inside && t < p.m) {
        for (uint b = lane; b < blocks; b += kLanes) acc += dot64(weights[row * blocks + b], t, b);
      }
      acc = sum_over_lanes(acc);
      if (inside && t < p.m && lane == 0) store_product(t, row, acc);
    }
  }
}
