#version 450
#define ROTOR_F16
#include "shaders/attention_tiled.glsl"
