#version 450
#include "shaders/common.glsl"

layout(push_constant) uniform Push { NormParams p; };
layout(binding = 0, std430) readonly restrict buffer GateUp { float gate_up[]; };       // [m, 2k]
layout(binding = 1, std430) readonly restrict buffer Gain { float gain[]; };            // [k]
layout(binding = 2, std430) writeonly restrict buffer Codes { uint codes[]; };          // [m, stride / 4]
layout(binding = 3, std430) writeonly restrict buffer Tokens { TokenScale tokens[]; };  // [m]


// max(gate, 0)^2 * up; a NaN gate stays NaN.
float value(uint t, uint j) {
  const float gate = gate_up[t * 2 * p.k + j];
  const float g = gate < 0.0 ? 0.0 : gate;
  precise float v = g * g * gate_up[t * 2 * p.k + p.k + j];
  return v;
}

float take(uint t, uint j) { return value(t, j); }

#include "shaders/norm_quant.glsl"
