#version 450
// Two bits per weight, products in plain integer arithmetic.
#include "shaders/matmul_subgroup.glsl"
