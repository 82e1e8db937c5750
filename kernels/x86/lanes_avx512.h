// Sixteen floats in one AVX-512 register: the words in which norm.h, attention.h, head.h are written.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl")
#include "kernels/x86/six_bits.h"

namespace rotor::cpu {
namespace {

// GCC 12 warns of the undefined register inside the unmasked forms of conversions and shuffles; with a
// constant mask the compilers emit those all the same.
struct Avx512 {
  using V = __m512;
  using Ints = __m512i;
  struct Doubles {
    __m512d low, high;  // lanes 0..7, 8..15
  };
  struct All {};  // in place of a count of lanes: all sixteen

  static constexpr std::size_t kPositions =
      4;  // cache rows in one pass of attention over the queries
  static constexpr std::size_t kColumns = 4;  // vectors of an output row kept in registers
  static constexpr std::size_t kRows = 4;     // table rows by ...
  static constexpr std::size_t kTokens = 4;   // ... tokens in one pass of the head

  static constexpr __mmask16 kAll = 0xFFFF;
  static __mmask16 mask(All) { return kAll; }
  static __mmask16 mask(std::size_t n) { return static_cast<__mmask16>((1u << n) - 1); }

  static V zero() { return _mm512_setzero_ps(); }
  static V broadcast(float x) { return _mm512_set1_ps(x); }
  // x0 x0 x0 x0 x1 x1 x1 x1 ... of four floats, and x0 x1 x2 x3 x0 x1 ...
  static V each_four_times(const float* x) {
    const __m512i index = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    return _mm512_maskz_permutexvar_ps(kAll, index, four_times(x));
  }
  static V four_times(const float* x) {
    return _mm512_maskz_broadcast_f32x4(kAll, _mm_loadu_ps(x));
  }

  // The first n elements, zeros behind them.
  template <typename Count>
  static V load(const float* x, Count n) {
    return _mm512_maskz_loadu_ps(mask(n), x);
  }
  static V load(const float* x, All) { return _mm512_loadu_ps(x); }
  template <typename Count>
  static V load_f16(const std::uint16_t* x, Count n) {
    return _mm512_maskz_cvtph_ps(kAll, _mm256_maskz_loadu_epi16(mask(n), x));
  }
  template <typename Count>
  static V load_bf16(const std::uint16_t* x, Count n) {
    const Ints wide = _mm512_maskz_cvtepu16_epi32(kAll, _mm256_maskz_loadu_epi16(mask(n), x));
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, wide, 16));
  }
  template <typename Count>
  static V load_i8(const std::int8_t* x, Count n) {
    const Ints wide = _mm512_maskz_cvtepi8_epi32(kAll, _mm_maskz_loadu_epi8(mask(n), x));
    return _mm512_maskz_cvtepi32_ps(kAll, wide);
  }
  static V load_six_bits(const std::byte* unit) {
    return _mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepi8_epi32(kAll, six_bit_codes(unit)));
  }
  static V broadcast_f16(std::uint16_t x) {
    return _mm512_maskz_cvtph_ps(kAll, _mm256_set1_epi16(static_cast<short>(x)));
  }
  template <typename Count>
  static void store(float* to, V x, Count n) {
    _mm512_mask_storeu_ps(to, mask(n), x);
  }

  // x with zeros from lane n on, whatever was there.
  template <typename Count>
  static V first(V x, Count n) {
    return _mm512_maskz_mov_ps(mask(n), x);
  }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V div(V a, V b) { return _mm512_div_ps(a, b); }
  static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  // The second operand where one is NaN, or both are zero.
  static V max(V a, V b) { return _mm512_maskz_max_ps(kAll, a, b); }
  static V min(V a, V b) { return _mm512_maskz_min_ps(kAll, a, b); }
  static V round(V x) {
    return _mm512_maskz_roundscale_ps(kAll, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // p * 2^n of a normal result, n integral.
  static V scale(V p, V n) { return _mm512_maskz_scalef_ps(kAll, p, n); }
  // a < b ? x : y, lane by lane.
  static V where_less(V a, V b, V x, V y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
  }

  // Lane i of the sums takes lane i squared.
  static Doubles no_squares() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
  static Doubles add_squares(Doubles sums, V x) {
    const __m512d low = _mm512_maskz_cvtps_pd(0xFF, lower(x));
    const __m512d high = _mm512_maskz_cvtps_pd(0xFF, upper(x));
    return {_mm512_fmadd_pd(low, low, sums.low), _mm512_fmadd_pd(high, high, sums.high)};
  }
  // The tree of kernels/ops.h: i + 8, i + 4, i + 2, i + 1.
  static double total(Doubles sums) {
    const __m512d eight = _mm512_add_pd(sums.low, sums.high);
    const __m256d four = _mm256_add_pd(_mm512_maskz_extractf64x4_pd(0xF, eight, 0),
                                       _mm512_maskz_extractf64x4_pd(0xF, eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
  static float total(V x) {
    const __m256 eight = _mm256_add_ps(lower(x), upper(x));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

  // Magnitudes as integers: they order alike, with NaN above all.
  static Ints no_ints() { return _mm512_setzero_si512(); }
  static Ints larger_magnitude(Ints top, V x) {
    const Ints bits = _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7FFFFFFF));
    return _mm512_maskz_max_epi32(kAll, top, bits);
  }
  static std::int32_t largest(Ints x) {
    const __m256i eight = _mm256_max_epi32(_mm512_maskz_extracti64x4_epi64(0xF, x, 0),
                                           _mm512_maskz_extracti64x4_epi64(0xF, x, 1));
    const __m128i four =
        _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
  }
  static Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  static std::int32_t total(Ints x) {
    const __m256i eight = _mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(0xF, x, 0),
                                           _mm512_maskz_extracti64x4_epi64(0xF, x, 1));
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
  }
  // Nearest integers, ties to even.
  static Ints nearest(V x) { return _mm512_maskz_cvtps_epi32(kAll, x); }
  // The low bytes (sixteen, whatever n is, only where there is room for them).
  template <typename Count>
  static void store_bytes(std::int8_t* to, Ints x, Count n) {
    _mm_mask_storeu_epi8(to, mask(n), _mm512_maskz_cvtepi32_epi8(kAll, x));
  }

  // Attention keeps four queries by four positions: lane 4 p + r is position p of query r.
  //
  // to[4 p + r] = total(a[r][p]).
  static void store_totals(float* to, const V (&a)[4][kPositions]) {
    V four[4];  // [query]: the partial sums i < 4 of the four positions
    ROTOR_UNROLL
    for (int r = 0; r < 4; ++r) {
      const V ab = fold<0x44, 0xEE>(a[r][0], a[r][1]);
      const V cd = fold<0x44, 0xEE>(a[r][2], a[r][3]);
      four[r] = fold<0x88, 0xDD>(ab, cd);
    }
    const V low = fold_quads<0x44, 0xEE>(four[0], four[1]);
    const V high = fold_quads<0x44, 0xEE>(four[2], four[3]);
    _mm512_storeu_ps(to, fold_quads<0x88, 0xDD>(low, high));
  }
  // The largest, and the sum, over the four positions of each query, in all lanes of the query.
  static V max_of_positions(V x) {
    const V half = _mm512_maskz_max_ps(kAll, x, _mm512_maskz_shuffle_f32x4(kAll, x, x, 0x4E));
    return _mm512_maskz_max_ps(kAll, half, _mm512_maskz_shuffle_f32x4(kAll, half, half, 0xB1));
  }
  static V sum_of_positions(V x) {
    const V half = _mm512_add_ps(x, _mm512_maskz_shuffle_f32x4(kAll, x, x, 0x4E));
    return _mm512_add_ps(half, _mm512_maskz_shuffle_f32x4(kAll, half, half, 0xB1));
  }

 private:
  // GCC 12 warns of its own casts from 512 to 256 bits, too.
  static __m256 lower(V x) { return _mm512_maskz_extractf32x8_ps(0xFF, x, 0); }
  static __m256 upper(V x) { return _mm512_maskz_extractf32x8_ps(0xFF, x, 1); }
  template <int kOne, int kOther>
  static V fold(V a, V b) {
    return _mm512_add_ps(_mm512_maskz_shuffle_f32x4(kAll, a, b, kOne),
                         _mm512_maskz_shuffle_f32x4(kAll, a, b, kOther));
  }
  template <int kOne, int kOther>
  static V fold_quads(V a, V b) {
    return _mm512_add_ps(_mm512_maskz_shuffle_ps(kAll, a, b, kOne),
                         _mm512_maskz_shuffle_ps(kAll, a, b, kOther));
  }
};

}  // namespace
}  // namespace rotor::cpu

ROTOR_TARGET_END
