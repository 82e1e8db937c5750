#version 450
// Two bits per weight, four products an instruction.
#define ROTOR_PACKED_DOT
#include "shaders/matmul_subgroup.glsl"
