// Five codes a byte (Trits5x16): a fifth less to read from memory than two bits a code.
//
// A byte is four + 81 * fifth. `four` is the least, unsigned, of byte, byte - 81 and byte - 162 (what
// wraps is larger), and one permutation of bytes looks up its four codes in two bits each: a word of
// Bits2x16. With one or two tokens these are multiplied where they lie, the fifth as 81 * code, too; the
// sums are shifted, and divided by 81 exactly, at the end. Of many tokens the first few leave the words
// behind that they found, for all others. A pass of its own that made words first waited for memory,
// and calculated nothing: 2 to 3 % slower at 128 tokens on Zen 4.
//
// Two groups of rows share each activation: the activations of a few tokens and what the weights push
// through the cache do not both fit the L1 (one group alone: 2560 x 6912, 4 and 8 tokens, 30 and 12 %
// longer; 2 and 3 tokens of 2560 columns take 10 % less). Tried, and lost: prefetching 512 bytes ahead
// (6 % slower for single tokens), 2 KB (15 %), 4 KB (17 %); three or four groups (4 and 8 %).
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
constexpr std::size_t kVectors = Zmm::kVectors;  // groups of rows in a panel
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
constexpr std::size_t kSets = kTokens <= 2 ? 5 : 1;

template <std::size_t kTokens>
using Sums = __m512i[kSets<kTokens>][kTokens][kVectors];

// The columns of digit J, from q on, of a panel.
template <int J, std::size_t kTokens>
ROTOR_INLINE void add_digit(const __m512i (&codes)[kVectors], const std::int8_t* q,
                            std::size_t stride, Sums<kTokens>& sums) {
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    const __m512i four = Zmm::broadcast(q + t * stride);
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      __m512i& sum = sums[J % kSets<kTokens>][t][v];
      sum = Zmm::dot(sum, codes[v], four);
    }
  }
}

// Digit J of the four lower ones.
template <int J, std::size_t kTokens>
ROTOR_INLINE void add_lower(const Codes (&vectors)[kVectors], const std::int8_t* q,
                            std::size_t stride, Sums<kTokens>& sums) {
  constexpr bool kInPlace = kSets<kTokens> == 5;
  __m512i codes[kVectors];
  ROTOR_UNROLL
  for (std::size_t v = 0; v < kVectors; ++v) {
    codes[v] = TwoBits<Zmm>::codes < J, kInPlace ? J : 0 > (vectors[v].four);
  }
  add_digit<J, kTokens>(codes, q + 4 * J, stride, sums);
}

// The four lower digits of a vector; q: the activations of its first column.
template <std::size_t kTokens>
ROTOR_INLINE void add_fours(const Codes (&vectors)[kVectors], const std::int8_t* q,
                            std::size_t stride, Sums<kTokens>& sums) {
  add_lower<0, kTokens>(vectors, q, stride, sums);
  add_lower<1, kTokens>(vectors, q, stride, sums);
  add_lower<2, kTokens>(vectors, q, stride, sums);
  add_lower<3, kTokens>(vectors, q, stride, sums);
}

// Words of Bits2x16 of a panel in scratch, in order.
class Words {
 public:
  Words(const CpuCall& call, std::size_t stride)
      : to_(call.scratch), group_bytes_(TwoBits<Zmm>::group_bytes(stride)) {}

  ROTOR_INLINE void put(const __m512i (&words)[kVectors]) {
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      _mm512_store_si512(to_ + v * group_bytes_, words[v]);
    }
    to_ += kVectorBytes;
  }

 private:
  std::byte* to_;
  std::size_t group_bytes_;
};

// In place of it where nobody wants them.
struct NoWords {
  NoWords(const CpuCall&, std::size_t) {}
  void put(const __m512i (&)[kVectors]) {}
};

// Reads a vector of each group, puts its words, and adds the products of the four lower digits.
template <std::size_t kTokens, typename Kept>
ROTOR_INLINE void add_vector(const Panel<Zmm, kVectors>& panel, std::size_t at,
                             const std::int8_t* q, std::size_t stride, Sums<kTokens>& sums,
                             Kept& words, __m512i (&fifths)[kVectors]) {
  Codes vectors[kVectors];
  __m512i fours[kVectors];
  ROTOR_UNROLL
  for (std::size_t v = 0; v < kVectors; ++v) {
    vectors[v] = codes_at(panel.weights[v] + at);
    fours[v] = vectors[v].four;
    fifths[v] = vectors[v].fifth;
  }
  words.put(fours);
  add_fours<kTokens>(vectors, q, stride, sums);
}

// The products of all columns.
template <std::size_t kTokens, typename Kept>
ROTOR_INLINE void add_columns(const Panel<Zmm, kVectors>& panel, const std::int8_t* q,
                              std::size_t stride, Sums<kTokens>& sums, Kept words) {
  __m512i fifths[kVectors];
  std::size_t at = 0;
  for (std::size_t i = 0; i < stride / kBlockColumns; ++i, q += kBlockColumns) {
    __m512i last[kVectors] = {};  // a word of Bits2x16: the fifth digits of four vectors
    ROTOR_UNROLL
    for (std::size_t u = 0; u < 4; ++u, at += kVectorBytes) {
      add_vector<kTokens>(panel, at, q + 16 * u, stride, sums, words, fifths);
      ROTOR_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) {
        if constexpr (kSets<kTokens> == 1) fifths[v] = fifth_codes(fifths[v]);
        last[v] = _mm512_or_si512(
            last[v], _mm512_maskz_slli_epi32(Zmm::kAll, fifths[v], static_cast<unsigned>(2 * u)));
      }
      add_digit<4, kTokens>(fifths, q + 64 + 4 * u, stride, sums);
    }
    words.put(last);
  }
  for (std::size_t u = 0; u < stride % kBlockColumns / 16; ++u, at += kVectorBytes) {
    add_vector<kTokens>(panel, at, q + 16 * u, stride, sums, words, fifths);
  }
}

// kTokens tokens from `first` on times one panel, whose words are kept as Kept does.
template <std::size_t kTokens, typename Kept>
void tile_in_place(const CpuCall& call, const Panel<Zmm, kVectors>& panel, std::size_t first) {
  constexpr bool kInPlace = kSets<kTokens> == 5;
  const std::size_t stride = call.parameters<MatmulParams>().stride;
  Sums<kTokens> sums;
  ROTOR_UNROLL
  for (std::size_t s = 0; s < kSets<kTokens>; ++s) {
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) {
      ROTOR_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) sums[s][t][v] = Zmm::zero();
    }
  }
  fetch_output(call, panel, first, kTokens);
  add_columns<kTokens>(panel, call.buffer<const std::int8_t>(0) + first * stride, stride, sums,
                       Kept(call, stride));
  __m512i total[kTokens][kVectors];
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      total[t][v] = sums[0][t][v];
      if constexpr (kInPlace) {
        for (int s = 1; s < 4; ++s) {
          total[t][v] = Zmm::add(total[t][v], Zmm::shift_sum(sums[s][t][v], 2 * s));
        }
        const __m512i inverse = _mm512_set1_epi32(static_cast<int>(kInverseOfFifth));
        total[t][v] = Zmm::add(total[t][v], _mm512_mullo_epi32(sums[4][t][v], inverse));
      }
    }
  }
  finish(call, panel, first, total, kTokens);
}

template <std::size_t... kTokens>
constexpr Tiles<Zmm, kVectors, sizeof...(kTokens)> tiles_in_place(std::index_sequence<kTokens...>) {
  return {tile_in_place<kTokens + 1, NoWords>...};
}

constexpr std::size_t kMostInPlace = 24;  // tokens

// Of a tile in place, and of one that leaves words behind: GCC 12 runs out of registers for more (tiles of
// 12 take 2 to 4 % longer than those of two bits, these 0 to 1 %).
constexpr std::size_t kTokensInPlace = 11;
constexpr std::size_t kFirst = 9;

}  // namespace

void matmul_trits5_avx512vbmi(const CpuCall& call) noexcept {
  constexpr auto kCounts = std::make_index_sequence<Zmm::kTokens>();
  static constexpr auto kInPlace = tiles_in_place(std::make_index_sequence<kTokensInPlace>());
  static constexpr auto kUnpacked = tiles<Zmm, TwoBits<Zmm>, kVectors>(kCounts);
  const auto& p = call.parameters<MatmulParams>();
  const std::size_t unpacked_bytes = TwoBits<Zmm>::group_bytes(p.stride);
  if (p.m <= kMostInPlace || kVectors * unpacked_bytes > kScratchBytes) {
    multiply<Zmm, FiveTrits, kVectors>(call, kInPlace);
    return;
  }
  for_each_panel<Zmm, FiveTrits, kVectors>(call, [&](Panel<Zmm, kVectors> panel) {
    tile_in_place<kFirst, Words>(call, panel, 0);
    for (std::size_t v = 0; v < kVectors; ++v) {
      panel.weights[v] = call.scratch + v * unpacked_bytes;
    }
    multiply_panel(call, panel, kUnpacked, kFirst);
  });
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
