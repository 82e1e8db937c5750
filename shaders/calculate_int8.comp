#version 450
// Packed dot products of four signed bytes, added up.
#include "shaders/common.glsl"
#include "shaders/packed_dot.glsl"

#define Number uint
uint first(uint seed, uint i) { return seed * (2 * i + 1) + i; }
uint factor(uint seed) { return seed * 0x9E3779B1u; }
uint addend(uint seed) { return 0; }
uint next(uint x, uint f, uint c) { return x + uint(packed_dot(int(x), int(f), 0)); }
uint bits_of(uint x) { return x; }

#include "shaders/calculate.glsl"
