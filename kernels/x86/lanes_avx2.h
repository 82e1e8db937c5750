// Sixteen floats in two AVX2 registers: the words of lanes_avx512.h, with the same results, bit for bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx2,fma,f16c")
#include "kernels/x86/six_bits.h"

namespace rotor::cpu {
namespace {

struct Avx2 {
  struct V {
    __m256 low, high;
  };
  struct Ints {
    __m256i low, high;
  };
  struct Doubles {
    __m256d a, b, c, d;  // lanes 0..3, 4..7, 8..11, 12..15
  };
  struct All {};  // in place of a count of lanes: all sixteen

  // Eight accumulators: with sixteen registers twice as many would spill.
  static constexpr std::size_t kPositions =
      1;  // cache rows in one pass of attention over the queries
  static constexpr std::size_t kColumns = 1;  // vectors of an output row kept in registers
  static constexpr std::size_t kRows = 2;     // table rows by ...
  static constexpr std::size_t kTokens = 2;   // ... tokens in one pass of the head

  static V zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static V broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  // x0 x0 x0 x0 x1 x1 x1 x1 ... of four floats, and x0 x1 x2 x3 x0 x1 ...
  static V each_four_times(const float* x) {
    return {_mm256_set_m128(_mm_set1_ps(x[1]), _mm_set1_ps(x[0])),
            _mm256_set_m128(_mm_set1_ps(x[3]), _mm_set1_ps(x[2]))};
  }
  static V four_times(const float* x) {
    const __m256 twice = _mm256_broadcast_ps(reinterpret_cast<const __m128*>(x));
    return {twice, twice};
  }

  // The first n elements, zeros behind them.
  static V load(const float* x, All) { return {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)}; }
  static V load(const float* x, std::size_t n) {
    return {_mm256_maskload_ps(x, mask(n, 0)), _mm256_maskload_ps(x + 8, mask(n, 8))};
  }
  template <typename Count>
  static V load_f16(const std::uint16_t* x, Count n) {
    const auto [low, high] = halves(x, n);
    return {_mm256_cvtph_ps(low), _mm256_cvtph_ps(high)};
  }
  template <typename Count>
  static V load_bf16(const std::uint16_t* x, Count n) {
    const auto [low, high] = halves(x, n);
    return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(low), 16)),
            _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(high), 16))};
  }
  static V load_i8(const std::int8_t* x, All) { return {eight_i8(x), eight_i8(x + 8)}; }
  static V load_i8(const std::int8_t* x, std::size_t n) {
    std::int8_t padded[16] = {};
    std::memcpy(padded, x, n);
    return load_i8(padded, All{});
  }
  static V load_six_bits(const std::byte* unit) {
    const __m128i codes = six_bit_codes(unit);
    return {eight_floats(codes), eight_floats(_mm_unpackhi_epi64(codes, codes))};
  }
  static V broadcast_f16(std::uint16_t x) {
    const __m256 all = _mm256_cvtph_ps(_mm_set1_epi16(static_cast<short>(x)));
    return {all, all};
  }
  static void store(float* to, V x, All) {
    _mm256_storeu_ps(to, x.low);
    _mm256_storeu_ps(to + 8, x.high);
  }
  static void store(float* to, V x, std::size_t n) {
    _mm256_maskstore_ps(to, mask(n, 0), x.low);
    _mm256_maskstore_ps(to + 8, mask(n, 8), x.high);
  }

  // x with zeros from lane n on, whatever was there.
  static V first(V x, All) { return x; }
  static V first(V x, std::size_t n) {
    return {_mm256_and_ps(x.low, _mm256_castsi256_ps(mask(n, 0))),
            _mm256_and_ps(x.high, _mm256_castsi256_ps(mask(n, 8)))};
  }
  static V add(V a, V b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
  static V sub(V a, V b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
  static V mul(V a, V b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
  static V div(V a, V b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
  static V fma(V a, V b, V c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  // The second operand where one is NaN, or both are zero.
  static V max(V a, V b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
  static V min(V a, V b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
  static V round(V x) {
    constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
    return {_mm256_round_ps(x.low, kNearest), _mm256_round_ps(x.high, kNearest)};
  }
  // p * 2^n of a normal result, n integral.
  static V scale(V p, V n) { return {scale_half(p.low, n.low), scale_half(p.high, n.high)}; }
  // a < b ? x : y, lane by lane.
  static V where_less(V a, V b, V x, V y) {
    return {_mm256_blendv_ps(y.low, x.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
            _mm256_blendv_ps(y.high, x.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
  }

  // Lane i of the sums takes lane i squared.
  static Doubles no_squares() {
    const __m256d none = _mm256_setzero_pd();
    return {none, none, none, none};
  }
  static Doubles add_squares(Doubles sums, V x) {
    return {add_four(sums.a, _mm256_castps256_ps128(x.low)),
            add_four(sums.b, _mm256_extractf128_ps(x.low, 1)),
            add_four(sums.c, _mm256_castps256_ps128(x.high)),
            add_four(sums.d, _mm256_extractf128_ps(x.high, 1))};
  }
  // The tree of kernels/ops.h: i + 8, i + 4, i + 2, i + 1.
  static double total(Doubles sums) {
    const __m256d four =
        _mm256_add_pd(_mm256_add_pd(sums.a, sums.c), _mm256_add_pd(sums.b, sums.d));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
  static float total(V x) {
    const __m256 eight = _mm256_add_ps(x.low, x.high);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }

  // Magnitudes as integers: they order alike, with NaN above all.
  static Ints no_ints() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Ints larger_magnitude(Ints top, V x) {
    const __m256i bits = _mm256_set1_epi32(0x7FFFFFFF);
    return {_mm256_max_epi32(top.low, _mm256_and_si256(_mm256_castps_si256(x.low), bits)),
            _mm256_max_epi32(top.high, _mm256_and_si256(_mm256_castps_si256(x.high), bits))};
  }
  static std::int32_t largest(Ints x) {
    const __m256i eight = _mm256_max_epi32(x.low, x.high);
    const __m128i four =
        _mm_max_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
  }
  static Ints add(Ints a, Ints b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
  }
  static std::int32_t total(Ints x) {
    const __m256i eight = _mm256_add_epi32(x.low, x.high);
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
  }
  // Nearest integers, ties to even.
  static Ints nearest(V x) { return {_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)}; }
  // The low bytes of integers that fit in a byte.
  static void store_bytes(std::int8_t* to, Ints x, All) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.low, x.high), 0xD8);
    _mm_storeu_si128(
        reinterpret_cast<__m128i*>(to),
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
  }
  static void store_bytes(std::int8_t* to, Ints x, std::size_t n) {
    std::int8_t bytes[16];
    store_bytes(bytes, x, All{});
    std::memcpy(to, bytes, n);
  }
  static void store_f16(std::uint16_t* to, V x, All) {
    auto* halves = reinterpret_cast<__m128i*>(to);
    _mm_storeu_si128(halves, _mm256_cvtps_ph(x.low, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(halves + 1, _mm256_cvtps_ph(x.high, _MM_FROUND_TO_NEAREST_INT));
  }
  static void store_f16(std::uint16_t* to, V x, std::size_t n) {
    std::uint16_t halves[16];
    store_f16(halves, x, All{});
    std::memcpy(to, halves, 2 * n);
  }

  // Attention keeps four queries by four positions: lane 4 p + r is position p of query r.
  //
  // to[r] = total(a[r][0]).
  static void store_totals(float* to, const V (&a)[4][kPositions]) {
    const __m256 ac = fold_halves(a[0][0], a[2][0]);  // partial sums i < 4 of queries 0, 2
    const __m256 bd = fold_halves(a[1][0], a[3][0]);
    const __m256 two =
        _mm256_add_ps(_mm256_shuffle_ps(ac, bd, 0x44), _mm256_shuffle_ps(ac, bd, 0xEE));
    const __m128 low = _mm256_castps256_ps128(two);  // sums i < 2 of queries 0, 1
    const __m128 high = _mm256_extractf128_ps(two, 1);
    _mm_storeu_ps(to, _mm_add_ps(_mm_shuffle_ps(low, high, 0x88), _mm_shuffle_ps(low, high, 0xDD)));
  }
  // The largest, and the sum, over the four positions of each query, in all lanes of the query.
  static V max_of_positions(V x) {
    const __m256 half = _mm256_max_ps(x.low, x.high);
    const __m256 whole = _mm256_max_ps(half, _mm256_permute2f128_ps(half, half, 0x01));
    return {whole, whole};
  }
  static V sum_of_positions(V x) {
    const __m256 half = _mm256_add_ps(x.low, x.high);
    const __m256 whole = _mm256_add_ps(half, _mm256_permute2f128_ps(half, half, 0x01));
    return {whole, whole};
  }

 private:
  struct Halves {
    __m128i low, high;
  };
  static Halves halves(const std::uint16_t* x, All) {
    const auto* bytes = reinterpret_cast<const __m128i*>(x);
    return {_mm_loadu_si128(bytes), _mm_loadu_si128(bytes + 1)};
  }
  static Halves halves(const std::uint16_t* x, std::size_t n) {
    std::uint16_t padded[16] = {};
    std::memcpy(padded, x, 2 * n);
    return halves(padded, All{});
  }
  static __m256 eight_i8(const std::int8_t* x) {
    return eight_floats(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(x)));
  }
  static __m256 eight_floats(__m128i bytes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
  }
  // All ones in lanes below n, of the eight lanes that begin with lane `from`.
  static __m256i mask(std::size_t n, int from) {
    const __m256i lane =
        _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(from));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
  }
  static __m256d add_four(__m256d sums, __m128 x) {
    const __m256d wide = _mm256_cvtps_pd(x);
    return _mm256_fmadd_pd(wide, wide, sums);
  }
  static __m256 scale_half(__m256 p, __m256 n) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
  }
  static __m256 fold_halves(V a, V b) {
    const __m256 x = _mm256_add_ps(a.low, a.high);
    const __m256 y = _mm256_add_ps(b.low, b.high);
    return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
  }
};

}  // namespace
}  // namespace rotor::cpu

ROTOR_TARGET_END
