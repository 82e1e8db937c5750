#define ROTOR_ROW_F32
#define ROTOR_ENTRY embed_f32
#include "kernels/opencl/embed.clh"
