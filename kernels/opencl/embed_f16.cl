#define ROTOR_ROW_F16
#define ROTOR_ENTRY embed_f16
#include "kernels/opencl/embed.clh"
