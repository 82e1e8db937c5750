// Codes of Bits6Row in a register. Included inside a target region of AVX2 or above.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/x86/target.h"

namespace rotor::cpu {
namespace {

// Sixteen codes of Bits6Row, less their offset, as bytes.
ROTOR_INLINE __m128i six_bit_codes(const std::byte* unit) {
  std::int32_t upper;
  std::memcpy(&upper, unit + 8, sizeof upper);
  const __m128i pairs = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(unit));
  const __m128i low =
      _mm_and_si128(_mm_unpacklo_epi64(pairs, _mm_srli_epi16(pairs, 4)), _mm_set1_epi8(15));
  const __m128i fours = _mm_srlv_epi32(_mm_set1_epi32(upper), _mm_setr_epi32(0, 2, 4, 6));
  const __m128i high = _mm_slli_epi16(_mm_and_si128(fours, _mm_set1_epi8(3)), 4);
  return _mm_sub_epi8(_mm_or_si128(low, high), _mm_set1_epi8(32));
}

}  // namespace
}  // namespace rotor::cpu
