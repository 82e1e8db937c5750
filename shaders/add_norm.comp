#version 450
#include "shaders/common.glsl"

layout(push_constant) uniform Push { NormParams p; };
layout(binding = 0, std430) restrict buffer X { float x[]; };                      // [m, k]
layout(binding = 1, std430) readonly restrict buffer Delta { float delta[]; };     // [m, k]
layout(binding = 2, std430) readonly restrict buffer Gain { float gain[]; };       // [k]
layout(binding = 3, std430) writeonly restrict buffer Result { float result[]; };  // [m, k]

// x += delta, kept for the layers to come.
float take(uint t, uint j) {
  precise float sum = x[t * p.k + j] + delta[t * p.k + j];
  x[t * p.k + j] = sum;
  return sum;
}
float value(uint t, uint j) { return x[t * p.k + j]; }

#include "shaders/norm.glsl"

void store(uint t, uint j, vec4 y) {
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (j + i < p.k) result[t * p.k + j + i] = y[i];
  }
}

void main() {
  const uint t = gl_WorkGroupID.y;
  const float inverse = inverse_rms(t);
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    store(t, first_of(c), normed(held[c], first_of(c), inverse));
  }
  for (uint j = first_of(kHeld); j < p.k; j += kStep) {
    store(t, j, normed(four(t, j), j, inverse));
  }
}
