#version 450
#define ROTOR_BF16
#include "shaders/embed.glsl"
