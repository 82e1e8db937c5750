#define ROTOR_ROW_INT8ROW
#define ROTOR_ENTRY head_int8row
#include "kernels/opencl/head.clh"
