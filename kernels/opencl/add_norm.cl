#include "kernels/opencl/plain_source.clh"
#include "kernels/opencl/norm.clh"
#include "kernels/opencl/add.clh"

ROTOR_KERNEL add_norm(__global float* x,            // [m, k]
                      __global const float* delta,  // [m, k]
                      __global const float* gain,   // [k]
                      __global float* out,          // [m, k]
                      const NormParams p) {
  __local int ints[ROTOR_LOCAL];
  __local Pair pairs[ROTOR_LOCAL];
  const size_t t = get_group_id(0);
  add_in_place(x + t * p.k, delta + t * p.k, p.k);
  const float inverse = inverse_rms(x + t * p.k, p, ints, pairs);
  for (uint j = get_local_id(0); j < p.k; j += ROTOR_LOCAL) {
    out[t * p.k + j] = normed_at(x + t * p.k, j, inverse, gain);
  }
}
