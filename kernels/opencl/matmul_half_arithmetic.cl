// Half-precision activations, two bits per weight, one token at a time, with half arithmetic: products
// with -1, 0, +1 are exact in half precision, where many devices form two at once; sums are f32.
#include "kernels/opencl/bitpacked_float.clh"
#pragma OPENCL EXTENSION cl_khr_fp16 : enable

float16 products(uint word, half16 x) {
  return convert_float16((convert_half16(unpack_codes(word)) - (half16)(1)) * x);
}

float dot_piece(uint4 w, __global const half* x) {
  return sum16(products(w.x, vload16(0, x)) + products(w.y, vload16(1, x)) +
               products(w.z, vload16(2, x)) + products(w.w, vload16(3, x)));
}

#define ROTOR_ENTRY matmul_half_arithmetic
#include "kernels/opencl/matmul_half.clh"
