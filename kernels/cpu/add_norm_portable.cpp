#include "kernels/cpu/quantize.h"
#include "kernels/variant.h"

namespace rotor::cpu {

void add_norm_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<NormParams>();
  float* x = call.buffer<float>(0);                  // [m, k]
  const float* delta = call.buffer<const float>(1);  // [m, k]
  const float* gain = call.buffer<const float>(2);   // [k]
  float* out = call.buffer<float>(3);                // [m, k]
  const std::size_t k = p.k;
  for (std::size_t t = call.begin; t < call.end; ++t) {
    const PlainSource row{x + t * k};
    add_in_place(x + t * k, delta + t * k, k);
    const Normed<PlainSource> y{row, inverse_rms(sum_of_squares(row, k), k, p.epsilon), gain};
    for (std::size_t j = 0; j < k; ++j) out[t * k + j] = y[j];
  }
}

}  // namespace rotor::cpu
