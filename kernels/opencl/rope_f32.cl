#define ROTOR_ROW_F32
#define ROTOR_ENTRY rope_f32
#include "kernels/opencl/rope.clh"
