#version 450
// Batches on two-bit weights, four products an instruction.
#define ROTOR_PACKED_DOT
#include "shaders/matmul_tiled.glsl"
