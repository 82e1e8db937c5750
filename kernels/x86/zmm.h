// 512-bit vectors of 16 rows with vpdpbusd; matmul_dot.h says what the constants mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

namespace rotor::cpu {
namespace {

struct Zmm {
  using Ints = __m512i;
  static constexpr std::size_t kRows = 16;
  static constexpr std::size_t kGroup = 1;
  static constexpr std::size_t kVectors = 2;
  static constexpr std::size_t kTokens = 12;
  static constexpr std::size_t kFewTokens = 1;
  static constexpr std::size_t kSpread = 16;
  static constexpr bool kUnsigned = true;
  // GCC 12 warns of the undefined register inside the unmasked forms of shifts and conversions;
  // with a constant mask compilers emit those all the same.
  static constexpr __mmask16 kAll = 0xFFFF;

  static Ints zero() { return _mm512_setzero_si512(); }
  static Ints load(const std::byte* at) { return _mm512_loadu_si512(at); }
  static Ints broadcast(const std::int8_t* four) {
    std::int32_t word;
    std::memcpy(&word, four, sizeof word);
    return _mm512_set1_epi32(word);
  }
  static Ints and_with(Ints a, std::uint32_t mask) {
    return _mm512_and_si512(a, _mm512_set1_epi32(static_cast<std::int32_t>(mask)));
  }
  template <int kBits>
  static Ints shift_right(Ints a) {
    return kBits == 0 ? a : _mm512_maskz_srli_epi32(kAll, a, kBits);
  }
  static Ints shift_sum(Ints a, int bits) {
    return _mm512_maskz_sra_epi32(kAll, a, _mm_cvtsi32_si128(bits));
  }
  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static Ints dot(Ints sum, Ints codes, Ints q) { return _mm512_dpbusd_epi32(sum, codes, q); }
  static void store_scaled(float* to, Ints sum, std::int32_t offset, const float* scales,
                           float scale) {
    const __m512 factors = _mm512_mul_ps(_mm512_load_ps(scales), _mm512_set1_ps(scale));
    const Ints exact = _mm512_sub_epi32(sum, _mm512_set1_epi32(offset));
    _mm512_storeu_ps(to, _mm512_mul_ps(_mm512_maskz_cvtepi32_ps(kAll, exact), factors));
  }
};

}  // namespace
}  // namespace rotor::cpu

ROTOR_TARGET_END
