#define ROTOR_ROW_INT8ROW
#define ROTOR_ENTRY attention_int8row
#include "kernels/opencl/attention.clh"
