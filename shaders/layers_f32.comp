#version 450
#define ROTOR_F32
#include "shaders/layers.glsl"
