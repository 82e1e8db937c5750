// The matmul of machines with AVX2 only, over matmul_panel.h: vpmaddubsw adds the products of two
// pairs of bytes in 16 bits, and these are summed in 16 bits as long as that is exact.
//
// Codes are 0..2 and activations -128..127, so a sum of two products lies in [-512, 508]: vpmaddubsw
// never saturates, and 64 of them lie in [-32768, 32512] and fit int16. A lane gets one per four
// columns: it is widened every 256 columns.
//
// With few tokens there are registers for two sets of sums. Columns 4..7 and 12..15 of a step are then
// multiplied four times too large, as their codes lie in the byte, which saves two shifts of three. A
// set gets two sums of products per step, of at most [-2048, 2032]: 16 of them, 128 columns, fit.
#pragma once

#include "kernels/cpu/matmul_panel.h"
#include "kernels/x86/ymm.h"

namespace rotor::cpu {
namespace {

using Wide = __m256i;  // int32
using Pair = __m256i;  // int16, two lanes per row

// Compilers reorder sums of integers into trees, whose many leaves do not fit the registers (half the
// speed with GCC 12); a value that an empty assembly statement may have changed stays where it is.
ROTOR_INLINE Pair in_order(Pair sum) {
  asm("" : "+x"(sum));
  return sum;
}

// Adds columns 4 J to 4 J + 3 of a step to the sums of every row and token, times 4^kPlace.
template <int J, int kPlace, typename Weights, std::size_t kVectors, std::size_t kTokens>
ROTOR_INLINE void add_pairs(const typename Weights::Step (&step)[kVectors], const std::int8_t* q,
                            std::size_t stride, Pair (&sums)[kTokens][kVectors]) {
  Ymm::Ints codes[kVectors];
  ROTOR_UNROLL
  for (std::size_t v = 0; v < kVectors; ++v) codes[v] = Weights::template codes<J, kPlace>(step[v]);
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    const Ymm::Ints four = Ymm::broadcast(q + t * stride + 4 * J);
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      sums[t][v] = in_order(_mm256_add_epi16(sums[t][v], _mm256_maddubs_epi16(codes[v], four)));
    }
  }
}

// total += the products of as many steps as are exact in 16 bits, from step `begin` on; with two sets,
// four times the products of two-bit weights.
template <typename Weights, std::size_t kSets, std::size_t kVectors, std::size_t kTokens>
ROTOR_INLINE void add_steps(const Panel<Ymm, kVectors>& panel, const std::int8_t* q,
                            std::size_t stride, std::size_t begin, std::size_t end,
                            Wide (&total)[kTokens][kVectors]) {
  constexpr int kPlace = kSets - 1;  // of columns 4..7 and 12..15
  Pair sums[kSets][kTokens][kVectors];
  ROTOR_UNROLL
  for (std::size_t s = 0; s < kSets; ++s) {
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) {
      ROTOR_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) sums[s][t][v] = Ymm::zero();
    }
  }
  for (std::size_t i = begin; i < end; ++i) {
    typename Weights::Step step[kVectors];
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      step[v] = Weights::load(panel.weights[v] + i * Weights::kStepBytes);
    }
    const std::int8_t* at = q + 16 * i;
    add_pairs<0, 0, Weights>(step, at, stride, sums[0]);
    add_pairs<1, kPlace, Weights>(step, at, stride, sums[kPlace]);
    add_pairs<2, 0, Weights>(step, at, stride, sums[0]);
    add_pairs<3, kPlace, Weights>(step, at, stride, sums[kPlace]);
  }
  const __m256i factor = _mm256_set1_epi16(kSets == 2 ? 1 << Weights::kFieldBits : 1);
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      total[t][v] = Ymm::add(total[t][v], _mm256_madd_epi16(sums[0][t][v], factor));
      if (kSets == 1) continue;
      total[t][v] =
          Ymm::add(total[t][v], _mm256_madd_epi16(sums[kPlace][t][v], _mm256_set1_epi16(1)));
    }
  }
}

// kTokens tokens from `first` on times one panel.
template <typename Weights, std::size_t kVectors, std::size_t kTokens>
void tile(const CpuCall& call, const Panel<Ymm, kVectors>& panel, std::size_t first) {
  constexpr std::size_t kSets = kTokens <= 2 ? 2 : 1;
  constexpr std::size_t kExact = kSets == 2 ? 8 : 16;  // steps between widenings
  const std::size_t stride = call.parameters<MatmulParams>().stride;
  const std::int8_t* q = call.buffer<const std::int8_t>(0) + first * stride;
  Wide total[kTokens][kVectors];
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) total[t][v] = Ymm::zero();
  }
  for (std::size_t i = 0; i < stride / 16; i += kExact) {
    add_steps<Weights, kSets>(panel, q, stride, i, std::min(i + kExact, stride / 16), total);
  }
  if (kSets == 2) {
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) {
      ROTOR_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) {
        total[t][v] = Ymm::shift_sum(total[t][v], Weights::kFieldBits);
      }
    }
  }
  finish(call, panel, first, total, kTokens);
}

template <typename Weights, std::size_t kVectors, std::size_t... kTokens>
constexpr Tiles<Ymm, kVectors, sizeof...(kTokens)> tiles(std::index_sequence<kTokens...>) {
  return {tile<Weights, kVectors, kTokens + 1>...};
}

// Two vectors, a group of 16 rows, by four tokens: 93 % of what the vpmaddubsw, vpaddw and unpacking
// of such a tile can reach on Zen 4. Five or six tokens spill, and one vector by eight tokens waits
// for loads.
template <typename Weights>
void matmul_maddubs(const CpuCall& call) {
  static constexpr auto kTiles = tiles<Weights, 2>(std::make_index_sequence<4>());
  multiply<Ymm, Weights, 2>(call, kTiles);
}

}  // namespace
}  // namespace rotor::cpu
