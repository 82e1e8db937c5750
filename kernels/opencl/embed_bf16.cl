#define ROTOR_ROW_BF16
#define ROTOR_ENTRY embed_bf16
#include "kernels/opencl/embed.clh"
