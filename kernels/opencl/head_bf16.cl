#define ROTOR_ROW_BF16
#define ROTOR_ENTRY head_bf16
#include "kernels/opencl/head.clh"
