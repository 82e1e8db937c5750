#define ROTOR_ROW_F32
#define ROTOR_ENTRY head_f32
#include "kernels/opencl/head.clh"
