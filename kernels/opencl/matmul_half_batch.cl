// Half-precision activations, two bits per weight, many tokens: a work-item owns a row and unpacks
// it once for all tokens; activations are widened into local memory, where all rows read them.
#include "kernels/opencl/bitpacked_float.clh"

#define ROTOR_STAGED 64  // columns

void stage_x(__global const half* x, const MatmulParams p, uint first, __local float16* staged) {
  for (uint i = get_local_id(0); i < ROTOR_TOKENS * ROTOR_STAGED / 16; i += ROTOR_LOCAL) {
    const size_t token = get_group_id(1) * ROTOR_TOKENS + i / (ROTOR_STAGED / 16);
    const uint column = first + i % (ROTOR_STAGED / 16) * 16;
    staged[i] = token < p.m ? vload_half16(0, x + token * p.stride + column) : (float16)(0);
  }
}

ROTOR_KERNEL matmul_half_batch(__global const half* x,        // [m, stride]
                               __global const uint* weights,  // [n16, stride / 16]
                               __global const float* scales,  // [n]
                               __global float* out,           // [m, n]
                               const MatmulParams p) {
  __local float16 staged[ROTOR_TOKENS * ROTOR_STAGED / 16];
  for (uint base = 0; base < ROTOR_ROWS; base += ROTOR_LOCAL) {
    const uint row = get_group_id(0) * ROTOR_ROWS + base + get_local_id(0);
    __global const uint* w = weights + (size_t)row * (p.stride / 16);
    float acc[ROTOR_TOKENS];
    for (uint t = 0; t < ROTOR_TOKENS; ++t) acc[t] = 0;
    for (uint first = 0; first < p.stride; first += ROTOR_STAGED) {
      barrier(CLK_LOCAL_MEM_FENCE);
      stage_x(x, p, first, staged);
      barrier(CLK_LOCAL_MEM_FENCE);
      for (uint i = 0; row < p.n && i < ROTOR_STAGED / 16; ++i) {
        const float16 trits = unpack_trits(w[first / 16 + i]);
        for (uint t = 0; t < ROTOR_TOKENS; ++t) {
          acc[t] += sum16(trits * staged[t * (ROTOR_STAGED / 16) + i]);
        }
      }
    }
    const size_t token = get_group_id(1) * ROTOR_TOKENS;
    for (uint t = 0; row < p.n && t < ROTOR_TOKENS && token + t < p.m; ++t) {
      out[(token + t) * p.n + row] = scales[row] * acc[t];
    }
  }
}
