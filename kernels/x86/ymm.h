// 256-bit vectors of 8 rows, for the kernels over matmul_panel.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx2")

namespace rotor::cpu {
namespace {

struct Ymm {
  using Ints = __m256i;
  static constexpr std::size_t kRows = 8;

  static Ints zero() { return _mm256_setzero_si256(); }
  static Ints load(const std::byte* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
  }
  static Ints broadcast(const std::int8_t* four) {
    std::int32_t word;
    std::memcpy(&word, four, sizeof word);
    return _mm256_set1_epi32(word);
  }
  static Ints and_with(Ints a, std::uint32_t mask) {
    return _mm256_and_si256(a, _mm256_set1_epi32(static_cast<std::int32_t>(mask)));
  }
  template <int kBits>
  static Ints shift_right(Ints a) {
    return kBits == 0 ? a : _mm256_srli_epi32(a, kBits);
  }
  static Ints shift_sum(Ints a, int bits) { return _mm256_sra_epi32(a, _mm_cvtsi32_si128(bits)); }
  static Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
  static void store_scaled(float* to, Ints sum, std::int32_t offset, const float* scales,
                           float scale) {
    const __m256 factors = _mm256_mul_ps(_mm256_load_ps(scales), _mm256_set1_ps(scale));
    const Ints exact = _mm256_sub_epi32(sum, _mm256_set1_epi32(offset));
    _mm256_storeu_ps(to, _mm256_mul_ps(_mm256_cvtepi32_ps(exact), factors));
  }
};

}  // namespace
}  // namespace rotor::cpu

ROTOR_TARGET_END
