// The matmul of machines with a four-way byte dot product (vpdpbusd, sdot), over matmul_panel.h. V has
// the sizes of its tiles:
//   kGroup      vectors in one group of 16 rows
//   kVectors    of rows in a tile for many tokens
//   kTokens     of that tile: kVectors * kTokens accumulators, and the rest in what registers remain
//   kFewTokens  up to here tiles are one group high
//   kSpread     accumulators that keep the multipliers busy
//   kUnsigned   whether codes are an unsigned operand, so that 2 * 64 fits
#pragma once

#include <utility>

#include "kernels/cpu/matmul_panel.h"

namespace rotor::cpu {
namespace {

// Adds columns 4 J to 4 J + 3 of a step to the sums of every row and token.
template <int J, bool kInPlace, typename V, typename Weights, std::size_t kVectors,
          std::size_t kTokens>
ROTOR_INLINE void add_four(const typename Weights::Step (&step)[kVectors], const std::int8_t* q,
                           std::size_t stride, typename V::Ints (&sums)[kTokens][kVectors]) {
  typename V::Ints codes[kVectors];
  ROTOR_UNROLL
  for (std::size_t v = 0; v < kVectors; ++v) {
    codes[v] = Weights::template codes < J, kInPlace ? J : 0 > (step[v]);
  }
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    const typename V::Ints four = V::broadcast(q + t * stride + 4 * J);
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) sums[t][v] = V::dot(sums[t][v], codes[v], four);
  }
}

// Independent sums per row and token: more of them where there are few tokens, because one dot
// product must wait for the one before it.
template <typename V, std::size_t kVectors, std::size_t kTokens>
constexpr std::size_t sets() {
  for (const std::size_t count : {8, 4, 2}) {
    if (count * kVectors * kTokens <= V::kSpread) return count;
  }
  return 1;
}

// kTokens tokens from `first` on times one panel.
//
// With four sets or more, each field of a word has sums of its own and is multiplied where it lies;
// the sums are shifted at the end instead. Sums of 64 c are the tightest that kMaxColumns allows.
template <typename V, typename Weights, std::size_t kVectors, std::size_t kTokens>
void tile(const CpuCall& call, const Panel<V, kVectors>& panel, std::size_t first) {
  constexpr std::size_t kSets = sets<V, kVectors, kTokens>();
  constexpr std::size_t kSteps = kSets == 8 ? 2 : 1;
  constexpr bool kInPlace = kSets >= 4 && V::kUnsigned;
  const std::size_t stride = call.parameters<MatmulParams>().stride;
  const std::int8_t* q = call.buffer<const std::int8_t>(0) + first * stride;

  typename V::Ints sums[kSets][kTokens][kVectors];
  ROTOR_UNROLL
  for (std::size_t s = 0; s < kSets; ++s) {
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) {
      ROTOR_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) sums[s][t][v] = V::zero();
    }
  }
  fetch_output(call, panel, first, kTokens);
  for (std::size_t i = 0; i < stride / 16; i += kSteps) {
    ROTOR_UNROLL
    for (std::size_t u = 0; u < kSteps; ++u) {
      typename Weights::Step step[kVectors];
      ROTOR_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) {
        step[v] = Weights::load(panel.weights[v] + (i + u) * Weights::kStepBytes);
      }
      const std::int8_t* at = q + 16 * (i + u);
      add_four<0, kInPlace, V, Weights>(step, at, stride, sums[4 * u % kSets]);
      add_four<1, kInPlace, V, Weights>(step, at, stride, sums[(4 * u + 1) % kSets]);
      add_four<2, kInPlace, V, Weights>(step, at, stride, sums[(4 * u + 2) % kSets]);
      add_four<3, kInPlace, V, Weights>(step, at, stride, sums[(4 * u + 3) % kSets]);
    }
  }
  // Into an array of their own, so that the sums need no memory: GCC would store them every turn.
  typename V::Ints total[kTokens][kVectors];
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kTokens; ++t) {
    ROTOR_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      total[t][v] = sums[0][t][v];
      ROTOR_UNROLL
      for (std::size_t s = 1; s < kSets; ++s) {
        const int bits = kInPlace ? static_cast<int>(s % 4) * Weights::kFieldBits : 0;
        total[t][v] = V::add(total[t][v], V::shift_sum(sums[s][t][v], bits));
      }
    }
  }
  finish(call, panel, first, total, kTokens);
}

template <typename V, typename Weights, std::size_t kVectors, std::size_t... kTokens>
constexpr Tiles<V, kVectors, sizeof...(kTokens)> tiles(std::index_sequence<kTokens...>) {
  return {tile<V, Weights, kVectors, kTokens + 1>...};
}

template <typename V, typename Weights>
void matmul_dot(const CpuCall& call) {
  static constexpr auto kFew =
      tiles<V, Weights, V::kGroup>(std::make_index_sequence<V::kFewTokens>());
  static constexpr auto kMany =
      tiles<V, Weights, V::kVectors>(std::make_index_sequence<V::kTokens>());
  if (call.parameters<MatmulParams>().m <= V::kFewTokens) {
    multiply<V, Weights, V::kGroup>(call, kFew);
  } else {
    multiply<V, Weights, V::kVectors>(call, kMany);
  }
}

}  // namespace
}  // namespace rotor::cpu
