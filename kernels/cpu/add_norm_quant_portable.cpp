#include "kernels/cpu/quantize.h"
#include "kernels/variant.h"

namespace rotor::cpu {

void add_norm_quant_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<NormParams>();
  float* x = call.buffer<float>(0);                  // [m, k]
  const float* delta = call.buffer<const float>(1);  // [m, k]
  const float* gain = call.buffer<const float>(2);   // [k]
  std::int8_t* codes = call.buffer<std::int8_t>(3);  // [m, stride]
  TokenScale* tokens = call.buffer<TokenScale>(4);   // [m]
  for (std::size_t t = call.begin; t < call.end; ++t) {
    add_in_place(x + t * p.k, delta + t * p.k, p.k);
    tokens[t] = norm_quantize(PlainSource{x + t * p.k}, gain, p, codes + t * p.stride);
  }
}

}  // namespace rotor::cpu
