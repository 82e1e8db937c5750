// Two bits per weight and packed dot products, one token at a time.
#include "kernels/opencl/bitpacked_dot.clh"

#define ROTOR_ENTRY matmul_bitpacked_dot
#include "kernels/opencl/matmul.clh"
