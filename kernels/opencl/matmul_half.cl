// Half-precision activations, two bits per weight, one token at a time. Halves are only stored:
// every device can load them.
#include "kernels/opencl/bitpacked_float.clh"

float dot_piece(uint4 w, __global const half* x) {
  return sum16(unpack_trits(w.x) * vload_half16(0, x) + unpack_trits(w.y) * vload_half16(1, x) +
               unpack_trits(w.z) * vload_half16(2, x) + unpack_trits(w.w) * vload_half16(3, x));
}

#define ROTOR_ENTRY matmul_half
#include "kernels/opencl/matmul_half.clh"
