#version 450
// Multiply-adds of 32-bit integers: what products cost without packed instructions.
#include "shaders/common.glsl"

#define Number uint
uint first(uint seed, uint i) { return seed * (2 * i + 1) + i; }
uint factor(uint seed) { return seed | 1u; }
uint addend(uint seed) { return seed >> 3; }
uint next(uint x, uint f, uint c) { return x * f + c; }
uint bits_of(uint x) { return x; }

#include "shaders/calculate.glsl"
