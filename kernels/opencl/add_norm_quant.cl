#include "kernels/opencl/plain_source.clh"
#include "kernels/opencl/norm.clh"
#include "kernels/opencl/add.clh"

ROTOR_KERNEL add_norm_quant(__global float* x,            // [m, k]
                            __global const float* delta,  // [m, k]
                            __global const float* gain,   // [k]
                            __global char* codes,         // [m, stride]
                            __global TokenScale* tokens,  // [m]
                            const NormParams p) {
  __local int ints[ROTOR_LOCAL];
  __local Pair pairs[ROTOR_LOCAL];
  const size_t t = get_group_id(0);
  add_in_place(x + t * p.k, delta + t * p.k, p.k);
  norm_quantize(x + t * p.k, gain, p, codes + t * p.stride, tokens + t, ints, pairs);
}
