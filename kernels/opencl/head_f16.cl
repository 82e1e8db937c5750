#define ROTOR_ROW_F16
#define ROTOR_ENTRY head_f16
#include "kernels/opencl/head.clh"
