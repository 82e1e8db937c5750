#include "kernels/variant.h"

namespace rotor::cpu {

void calculate_int32_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<CalculateParams>();
  const auto* seeds = call.buffer<std::uint32_t>(0);
  auto* results = call.buffer<std::uint32_t>(1);
  for (std::uint32_t lane = call.begin; lane < call.end; ++lane) {
    const std::uint32_t seed = seeds[lane];
    std::uint32_t x[ROTOR_SUMS];
    for (std::uint32_t i = 0; i < ROTOR_SUMS; ++i) x[i] = seed * (2 * i + 1) + i;
    for (std::uint32_t step = 0; step < p.rounds * ROTOR_STEPS; ++step) {
      for (std::uint32_t& sum : x) sum = sum * (seed | 1u) + (seed >> 3);
    }
    std::uint32_t all = 0;
    for (const std::uint32_t sum : x) all = all * 31u + sum;
    results[lane] = all;
  }
}

}  // namespace rotor::cpu
