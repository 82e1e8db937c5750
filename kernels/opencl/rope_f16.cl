#define ROTOR_ROW_F16
#define ROTOR_ENTRY rope_f16
#include "kernels/opencl/rope.clh"
