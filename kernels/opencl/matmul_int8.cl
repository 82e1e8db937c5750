// One byte per weight, one token at a time.
#include "kernels/opencl/int8.clh"

#define ROTOR_ENTRY matmul_int8
#include "kernels/opencl/matmul.clh"
