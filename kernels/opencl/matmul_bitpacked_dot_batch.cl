// Two bits per weight and packed dot products, many tokens.
#include "kernels/opencl/bitpacked_dot.clh"

#define ROTOR_ENTRY matmul_bitpacked_dot_batch
#include "kernels/opencl/matmul_batch.clh"
