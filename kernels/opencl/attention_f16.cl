#define ROTOR_ROW_F16
#define ROTOR_ENTRY attention_f16
#include "kernels/opencl/attention.clh"
