// Two bits per weight, one token at a time.
#include "kernels/opencl/bitpacked.clh"

#define ROTOR_ENTRY matmul_bitpacked
#include "kernels/opencl/matmul.clh"
