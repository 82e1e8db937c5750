#include "kernels/variant.h"

namespace rotor::cpu {

// One byte per weight, plain C++.
void matmul_int8_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<MatmulParams>();
  const std::int8_t* codes = call.buffer<const std::int8_t>(0);    // [m, stride]
  const TokenScale* tokens = call.buffer<const TokenScale>(1);     // [m]
  const std::int8_t* weights = call.buffer<const std::int8_t>(2);  // [n16, stride]
  const float* scales = call.buffer<const float>(3);               // [n]
  float* out = call.buffer<float>(4);                              // [m, n]
  const std::size_t stride = p.stride;

  for (std::size_t r = call.begin; r < call.end; ++r) {
    const std::int8_t* trits = weights + r * stride;
    for (std::size_t t = 0; t < p.m; ++t) {
      const std::int8_t* q = codes + t * stride;
      std::int32_t acc = 0;
      for (std::size_t j = 0; j < stride; ++j) {
        acc += std::int32_t{static_cast<std::int16_t>(trits[j])} *
               std::int32_t{static_cast<std::int16_t>(q[j])};
      }
      out[t * p.n + r] = static_cast<float>(acc) * (scales[r] * tokens[t].scale);
    }
  }
}

}  // namespace rotor::cpu
