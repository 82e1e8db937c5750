#version 450
#define ROTOR_F16
#include "shaders/layers.glsl"
