// Five codes a byte (Trits5x16): a fifth less to read from memory than two bits a code.
//
// A byte is four + 81 * fifth. `four` is the least, unsigned, of byte, byte - 81 and byte - 162 (what
// wraps is larger), and one permutation of bytes looks up its four codes in two bits each: a word of
// Bits2x16. With few tokens these are multiplied where they lie, the fifth as 81 * code; the sums are
// shifted, and divided by 81 exactly, at the end. For many, panels become words of Bits2x16 first. Up to
// one tile of those that does not pay: 8 tokens took 20 to 35 % longer than with two bits a code on
// Zen 4, and one group at a time takes 10 to 20 % longer.
//
// Tried there for single tokens, and lost: prefetching 512 bytes ahead (6 % slower), 2 KB (15 %), 4 KB
// (17 %); three or four groups at once, far apart (4 and 8 % slower; two are as fast as one).
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/variant.h"
#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx512vbmi")
#include "kernels/cpu/matmul_dot.h"
#include "kernels/x86/zmm.h"

namespace rotor::cpu {
namespace {

constexpr std::size_t kBlockColumns = 80;  // of four vectors
constexpr std::size_t kVectorBytes = 64;
constexpr std::uint8_t kFifth = 81;
constexpr std::uint32_t kInverseOfFifth = 0x781948B1;  // * 81 = 1 (mod 2^32)
static_assert(kInverseOfFifth * kFifth == 1u);

struct FiveTrits {
  static constexpr std::size_t group_bytes(std::size_t stride) {
    return (stride / kBlockColumns * 4 + stride % kBlockColumns / 16) * kVectorBytes;
  }
};

// Entry d0 + 3 d1 + 9 d2 + 27 d3 is d0 + 4 d1 + 16 d2 + 64 d3; byte 81 d mod 64 of `fifths` is d.
struct alignas(64) Tables {
  std::uint8_t fours[128] = {};
  std::uint8_t fifths[64] = {};
  constexpr Tables() {
    for (unsigned i = 0; i < kFifth; ++i) {
      fours[i] =
          static_cast<std::uint8_t>(i % 3 + 4 * (i / 3 % 3) + 16 * (i / 9 % 3) + 64 * (i / 27));
    }
    for (unsigned d = 0; d < 3; ++d) fifths[kFifth * d % 64] = static_cast<std::uint8_t>(d);
  }
};
constexpr Tables kTables;

struct Codes {
  __m512i four;   // a word of Bits2x16
  __m512i fifth;  // 81 * code
};

ROTOR_INLINE Codes codes_at(const std::byte* at) {
  const __m512i byte = Zmm::load(at);
  const __m512i once = _mm512_sub_epi8(byte, _mm512_set1_epi8(kFifth));
  const __m512i twice = _mm512_sub_epi8(byte, _mm512_set1_epi8(static_cast<char>(2 * kFifth)));
  const __m512i four = _mm512_min_epu8(byte, _mm512_min_epu8(once, twice));
  return {_mm512_permutex2var_epi8(_mm512_load_si512(kTables.fours), four,
                                   _mm512_load_si512(kTables.fours + 64)),
          _mm512_sub_epi8(byte, four)};
}

// 0, 81, 162 to 0, 1, 2.
ROTOR_INLINE __m512i fifth_codes(__m512i fifth) {
  // The unmasked form is of an undefined register to GCC 12, which warns.
  return _mm512_maskz_permutexvar_epi8(~__mmask64{0}, fifth, _mm512_load_si512(kTables.fifths));
}

// Each digit has sums of its own where there are registers for them.
template <std::size_t kTokens>
constexpr std::size_t kSets = kTokens <= 3 ? 5 : 1;

template <std::size_t kTokens>
using Sums = __m512i[kSets<kTokens>][kTokens];

template <std::size_t kTokens, int J>
ROTOR_INLINE void add_digit(__m512i codes, const std::int8_t* q, std::size_t stride,
                            Sums<kTokens>& sums) {
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    __m512i& sum = sums[J % kSets<kTokens>][t];
    sum = Zmm::dot(sum, codes, Zmm::broadcast(q + t * stride));
  }
}

// The four lower digits of a vector; q: the activations of its first column.
template <std::size_t kTokens>
ROTOR_INLINE void add_fours(__m512i word, const std::int8_t* q, std::size_t stride,
                            Sums<kTokens>& sums) {
  using Word = TwoBits<Zmm>;
  constexpr bool kInPlace = kSets<kTokens> == 5;
  add_digit<kTokens, 0>(Word::codes<0>(word), q, stride, sums);
  add_digit<kTokens, 1>(Word::codes < 1, kInPlace ? 1 : 0 > (word), q + 4, stride, sums);
  add_digit<kTokens, 2>(Word::codes < 2, kInPlace ? 2 : 0 > (word), q + 8, stride, sums);
  add_digit<kTokens, 3>(Word::codes < 3, kInPlace ? 3 : 0 > (word), q + 12, stride, sums);
}

// kTokens tokens from `first` on times 16 rows.
template <std::size_t kTokens>
void few_tokens(const CpuCall& call, const Panel<Zmm, 1>& panel, std::size_t first) {
  constexpr bool kInPlace = kSets<kTokens> == 5;
  const std::size_t stride = call.parameters<MatmulParams>().stride;
  const std::int8_t* q = call.buffer<const std::int8_t>(0) + first * stride;
  const std::byte* at = panel.weights[0];
  Sums<kTokens> sums;
  ROTOR_UNROLL
  for (std::size_t s = 0; s < kSets<kTokens>; ++s) {
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) sums[s][t] = Zmm::zero();
  }
  for (std::size_t i = 0; i < stride / kBlockColumns; ++i, q += kBlockColumns) {
    ROTOR_UNROLL
    for (std::size_t v = 0; v < 4; ++v, at += kVectorBytes) {
      const Codes codes = codes_at(at);
      add_fours<kTokens>(codes.four, q + 16 * v, stride, sums);
      add_digit<kTokens, 4>(kInPlace ? codes.fifth : fifth_codes(codes.fifth), q + 64 + 4 * v,
                            stride, sums);
    }
  }
  for (std::size_t v = 0; v < stride % kBlockColumns / 16; ++v, at += kVectorBytes) {
    add_fours<kTokens>(codes_at(at).four, q + 16 * v, stride, sums);
  }
  __m512i total[kTokens][1];
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    total[t][0] = sums[0][t];
    if constexpr (kInPlace) {
      for (int s = 1; s < 4; ++s) {
        total[t][0] = Zmm::add(total[t][0], Zmm::shift_sum(sums[s][t], 2 * s));
      }
      const __m512i inverse = _mm512_set1_epi32(static_cast<int>(kInverseOfFifth));
      total[t][0] = Zmm::add(total[t][0], _mm512_mullo_epi32(sums[4][t], inverse));
    }
  }
  finish(call, panel, first, total, kTokens);
}

template <std::size_t... kTokens>
constexpr Tiles<Zmm, 1, sizeof...(kTokens)> few_tiles(std::index_sequence<kTokens...>) {
  return {few_tokens<kTokens + 1>...};
}

// A group of 16 rows as Bits2x16.
void to_two_bits(const std::byte* from, std::size_t stride, std::byte* to) {
  for (std::size_t i = 0; i < stride / kBlockColumns; ++i) {
    __m512i fifths = Zmm::zero();
    ROTOR_UNROLL
    for (int v = 0; v < 4; ++v, from += kVectorBytes, to += kVectorBytes) {
      const Codes codes = codes_at(from);
      _mm512_store_si512(to, codes.four);
      fifths = _mm512_or_si512(fifths, _mm512_maskz_slli_epi32(Zmm::kAll, fifth_codes(codes.fifth),
                                                               static_cast<unsigned>(2 * v)));
    }
    _mm512_store_si512(to, fifths);
    to += kVectorBytes;
  }
  for (std::size_t v = 0; v < stride % kBlockColumns / 16; ++v) {
    _mm512_store_si512(to + v * kVectorBytes, codes_at(from + v * kVectorBytes).four);
  }
}

// Panels of two groups, unpacked to two bits in scratch and then multiplied with all tokens.
void many_tokens(const CpuCall& call) {
  constexpr std::size_t kVectors = Zmm::kVectors;
  static constexpr auto kTiles =
      tiles<Zmm, TwoBits<Zmm>, kVectors>(std::make_index_sequence<Zmm::kTokens>());
  const auto& p = call.parameters<MatmulParams>();
  const std::size_t count = (p.m + Zmm::kTokens - 1) / Zmm::kTokens;
  for (std::size_t row = call.begin; row < call.end; row += kVectors * Zmm::kRows) {
    auto panel = panel_at<Zmm, FiveTrits, kVectors>(call, row);
    for (std::size_t v = 0; v < kVectors; ++v) {
      std::byte* words = call.scratch + v * TwoBits<Zmm>::group_bytes(p.stride);
      to_two_bits(panel.weights[v], p.stride, words);
      panel.weights[v] = words;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t first = i * p.m / count;
      kTiles[(i + 1) * p.m / count - first - 1](call, panel, first);
    }
  }
}

}  // namespace

void matmul_trits5_avx512vbmi(const CpuCall& call) noexcept {
  static constexpr auto kFew = few_tiles(std::make_index_sequence<Zmm::kTokens>());
  const auto& p = call.parameters<MatmulParams>();
  const bool fits = Zmm::kVectors * TwoBits<Zmm>::group_bytes(p.stride) <= kScratchBytes;
  if (p.m > Zmm::kTokens && fits) {
    many_tokens(call);
  } else {
    multiply<Zmm, FiveTrits, 1>(call, kFew);
  }
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
