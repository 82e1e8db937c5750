#version 450
#define ROTOR_INT8ROW
#include "shaders/layers.glsl"
