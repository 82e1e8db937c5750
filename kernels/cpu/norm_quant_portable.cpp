#include "kernels/cpu/quantize.h"
#include "kernels/variant.h"

namespace rotor::cpu {

void norm_quant_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<NormParams>();
  const float* x = call.buffer<const float>(0);      // [m, k]
  const float* gain = call.buffer<const float>(1);   // [k]
  std::int8_t* codes = call.buffer<std::int8_t>(2);  // [m, stride]
  TokenScale* tokens = call.buffer<TokenScale>(3);   // [m]
  for (std::size_t t = call.begin; t < call.end; ++t) {
    tokens[t] = norm_quantize(PlainSource{x + t * p.k}, gain, p, codes + t * p.stride);
  }
}

}  // namespace rotor::cpu
