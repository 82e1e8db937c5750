#version 450
// Fused multiply-adds in half precision, two at a time.
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "shaders/common.glsl"

#define Number f16vec2
f16vec2 first(uint seed, uint i) { return f16vec2(uvec2((seed & 255u) + i, (seed >> 8 & 255u) + i)); }
f16vec2 factor(uint seed) { return f16vec2(seed >> 31 == 0 ? 0.5 : -0.5); }
f16vec2 addend(uint seed) { return f16vec2(float(1 + (seed >> 16 & 127u))); }
f16vec2 next(f16vec2 x, f16vec2 f, f16vec2 c) { return fma(x, f, c); }
uint bits_of(f16vec2 x) { return packFloat2x16(x); }

#include "shaders/calculate.glsl"
