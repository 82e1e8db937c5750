#include "kernels/cpu/quantize.h"
#include "kernels/variant.h"

namespace rotor::cpu {

// The products are formed again in each of the three passes: cheaper than a row of scratch.
void relu2_norm_quant_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<NormParams>();
  const float* gate_up = call.buffer<const float>(0);  // [m, 2k]
  const float* gain = call.buffer<const float>(1);     // [k]
  std::int8_t* codes = call.buffer<std::int8_t>(2);    // [m, stride]
  TokenScale* tokens = call.buffer<TokenScale>(3);     // [m]
  const std::size_t k = p.k;
  for (std::size_t t = call.begin; t < call.end; ++t) {
    const Relu2Source x{gate_up + t * 2 * k, gate_up + t * 2 * k + k};
    tokens[t] = norm_quantize(x, gain, p, codes + t * p.stride);
  }
}

}  // namespace rotor::cpu
