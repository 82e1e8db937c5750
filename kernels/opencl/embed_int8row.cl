#define ROTOR_ROW_INT8ROW
#define ROTOR_ENTRY embed_int8row
#include "kernels/opencl/embed.clh"
