#version 450
#include "shaders/common.glsl"

layout(push_constant) uniform Push { NormParams p; };
layout(binding = 0, std430) restrict buffer X { float x[]; };                      // [m, k]
layout(binding = 1, std430) readonly restrict buffer Delta { float delta[]; };     // [m, k]
layout(binding = 2, std430) readonly restrict buffer Gain { float gain[]; };       // [k]
layout(binding = 3, std430) writeonly restrict buffer Result { float result[]; };  // [m, k]

void prepare(uint t, uint j) { x[t * p.k + j] += delta[t * p.k + j]; }
float value(uint t, uint j) { return x[t * p.k + j]; }

#include "shaders/norm.glsl"

void main() {
  const uint t = gl_WorkGroupID.y;
  const float inverse = inverse_rms(t);
  for (uint j = 4 * gl_LocalInvocationID.x; j < p.k; j += 4 * kInvocations) {
    for (uint i = j; i < min(j + 4, p.k); ++i) {
      precise float y = value(t, i) * inverse * gain[i];
      result[t * p.k + i] = y;
    }
  }
}
