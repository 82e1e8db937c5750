#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/arm/target.h"
#include "kernels/variant.h"

ROTOR_TARGET_BEGIN("arch=armv8.2-a+dotprod")
#include "kernels/cpu/matmul_dot.h"

namespace rotor::cpu {
namespace {

// 128-bit vectors of 4 rows with sdot; matmul_dot.h says what the constants mean. Both operands are
// signed: codes 0..2 fit.
struct Neon {
  using Ints = int32x4_t;
  static constexpr std::size_t kRows = 4;
  static constexpr std::size_t kGroup = 4;
  static constexpr std::size_t kVectors = 4;
  static constexpr std::size_t kTokens = 4;  // 16 accumulators, 4 words, 4 codes
  static constexpr std::size_t kFewTokens = kTokens;
  static constexpr std::size_t kSpread = 8;
  static constexpr bool kUnsigned = false;

  static Ints zero() { return vdupq_n_s32(0); }
  static Ints load(const std::byte* at) {
    return vreinterpretq_s32_u8(vld1q_u8(reinterpret_cast<const std::uint8_t*>(at)));
  }
  static Ints broadcast(const std::int8_t* four) {
    std::int32_t word;
    std::memcpy(&word, four, sizeof word);
    return vdupq_n_s32(word);
  }
  static Ints and_with(Ints a, std::uint32_t mask) {
    return vandq_s32(a, vreinterpretq_s32_u32(vdupq_n_u32(mask)));
  }
  template <int kBits>
  static Ints shift_right(Ints a) {
    if constexpr (kBits == 0)
      return a;
    else
      return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), kBits));
  }
  static Ints shift_sum(Ints a, int bits) { return vshlq_s32(a, vdupq_n_s32(-bits)); }
  static Ints add(Ints a, Ints b) { return vaddq_s32(a, b); }
  static Ints dot(Ints sum, Ints codes, Ints q) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(codes), vreinterpretq_s8_s32(q));
  }
  static void store_scaled(float* to, Ints sum, std::int32_t offset, const float* scales,
                           float scale) {
    const float32x4_t factors = vmulq_n_f32(vld1q_f32(scales), scale);
    vst1q_f32(to, vmulq_f32(vcvtq_f32_s32(vsubq_s32(sum, vdupq_n_s32(offset))), factors));
  }
};

}  // namespace

// Two bits per weight, 16 rows in four registers.
void matmul_bitpacked_neondot(const CpuCall& call) noexcept {
  matmul_dot<Neon, TwoBits<Neon>>(call);
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
