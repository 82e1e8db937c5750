// x = max(gate, 0)^2 * up. A NaN gate stays NaN. The products are formed again in each pass: cheaper
// than a row of scratch.
typedef struct {
  __global const float* gate;
  __global const float* up;
} Source;

float source_at(Source x, uint j) {
  const float g = x.gate[j] < 0 ? 0.0f : x.gate[j];
  return g * g * x.up[j];
}

#include "kernels/opencl/norm.clh"

ROTOR_KERNEL relu2_norm_quant(__global const float* gate_up,  // [m, 2k]
                              __global const float* gain,     // [k]
                              __global char* codes,           // [m, stride]
                              __global TokenScale* tokens,    // [m]
                              const NormParams p) {
  __local int ints[ROTOR_LOCAL];
  __local Pair pairs[ROTOR_LOCAL];
  const size_t t = get_group_id(0);
  const Source x = {gate_up + t * 2 * p.k, gate_up + t * 2 * p.k + p.k};
  norm_quantize(x, gain, p, codes + t * p.stride, tokens + t, ints, pairs);
}
