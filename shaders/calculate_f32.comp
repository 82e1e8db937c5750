#version 450
// Fused multiply-adds in single precision.
#include "shaders/common.glsl"

#define Number float
float first(uint seed, uint i) { return float((seed & 255u) + i); }
float factor(uint seed) { return seed >> 31 == 0 ? 0.5 : -0.5; }
float addend(uint seed) { return float(1 + (seed >> 16 & 127u)); }
float next(float x, float f, float c) { return fma(x, f, c); }
uint bits_of(float x) { return floatBitsToUint(x); }

#include "shaders/calculate.glsl"
