#define ROTOR_ROW_INT8ROW
#define ROTOR_ENTRY rope_int8row
#include "kernels/opencl/rope.clh"
