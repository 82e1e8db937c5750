#include "kernels/opencl/plain_source.clh"
#include "kernels/opencl/norm.clh"

ROTOR_KERNEL norm_quant(__global const float* x,      // [m, k]
                        __global const float* gain,   // [k]
                        __global char* codes,         // [m, stride]
                        __global TokenScale* tokens,  // [m]
                        const NormParams p) {
  __local int ints[ROTOR_LOCAL];
  __local Pair pairs[ROTOR_LOCAL];
  const size_t t = get_group_id(0);
  norm_quantize(x + t * p.k, gain, p, codes + t * p.stride, tokens + t, ints, pairs);
}
