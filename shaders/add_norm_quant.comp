#version 450
#include "shaders/common.glsl"

layout(push_constant) uniform Push { NormParams p; };
layout(binding = 0, std430) restrict buffer X { float x[]; };                           // [m, k]
layout(binding = 1, std430) readonly restrict buffer Delta { float delta[]; };          // [m, k]
layout(binding = 2, std430) readonly restrict buffer Gain { float gain[]; };            // [k]
layout(binding = 3, std430) writeonly restrict buffer Codes { uint codes[]; };          // [m, stride / 4]
layout(binding = 4, std430) writeonly restrict buffer Tokens { TokenScale tokens[]; };  // [m]

// x += delta, kept for the layers to come.
float take(uint t, uint j) {
  precise float sum = x[t * p.k + j] + delta[t * p.k + j];
  x[t * p.k + j] = sum;
  return sum;
}
float value(uint t, uint j) { return x[t * p.k + j]; }

#include "shaders/norm_quant.glsl"
