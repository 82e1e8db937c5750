#include "kernels/roof.h"

#include "kernels/arm/target.h"

namespace rotor {
namespace {

// Latency of four cycles times up to four units: sums in flight.
constexpr int kSums = 16;
constexpr double kBlockOps = 2.0 * kSums;  // times the lanes

std::uint64_t fp32_neon(std::uint64_t blocks) noexcept {
  float32x4_t sums[kSums] = {};
  float32x4_t factor = vdupq_n_f32(0.5f);
  ROTOR_OPAQUE(factor);
  ROTOR_OPAQUE(sums);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    ROTOR_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = vfmaq_f32(sums[i], sums[i], factor);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = vaddq_f32(sums[0], sums[i]);
  return folded(&sums[0], sizeof sums[0]);
}

}  // namespace

ROTOR_TARGET_BEGIN("arch=armv8.2-a+dotprod")
namespace {

std::uint64_t int8_neondot(std::uint64_t blocks) noexcept {
  int32x4_t sums[kSums] = {};
  int8x16_t factor = vdupq_n_s8(1);
  ROTOR_OPAQUE(factor);
  ROTOR_OPAQUE(sums);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    ROTOR_UNROLL
    for (int i = 0; i < kSums; ++i) sums[i] = vdotq_s32(sums[i], factor, factor);
  }
  for (int i = 1; i < kSums; ++i) sums[0] = vaddq_s32(sums[0], sums[i]);
  return folded(&sums[0], sizeof sums[0]);
}

}  // namespace
ROTOR_TARGET_END

std::vector<RoofLevel> roof_levels() {
  return {{feature::NeonDot, nullptr, {{"int8_dot", 16 * kBlockOps, int8_neondot}}},
          {feature::Baseline, nullptr, {{"fp32_fma", 4 * kBlockOps, fp32_neon}}}};
}

}  // namespace rotor
