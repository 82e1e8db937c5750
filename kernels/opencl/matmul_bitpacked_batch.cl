// Two bits per weight, many tokens.
#include "kernels/opencl/bitpacked.clh"

#define ROTOR_ENTRY matmul_bitpacked_batch
#include "kernels/opencl/matmul_batch.clh"
