#version 450
// Batches on two-bit weights, products in plain integer arithmetic.
#include "shaders/matmul_tiled.glsl"
