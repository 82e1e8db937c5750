#define ROTOR_ROW_F32
#define ROTOR_ENTRY attention_f32
#include "kernels/opencl/attention.clh"
