// One byte per weight, many tokens.
#include "kernels/opencl/int8.clh"

#define ROTOR_ENTRY matmul_int8_batch
#include "kernels/opencl/matmul_batch.clh"
