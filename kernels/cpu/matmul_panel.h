// What the interleaved matmul kernels share: weights of 16 rows side by side, for any vector width.
// Included inside a target region, so that every function here belongs to the instruction set of the
// file that includes it: hence the unnamed namespace. That file has included the headers below before,
// outside the region.
//
// The 32-bit lanes of a vector belong to consecutive rows and activations are broadcast as words of
// four, so there are no horizontal sums. Weights are codes 0..2, on x86 the unsigned operand of the
// machine's byte products; the token's code sum is subtracted once: sum(q t) = sum(q c) - sum(q).
//
// V, a vector type, has Ints, kRows (its lanes) and the operations used below.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "kernels/cpu/unroll.h"
#include "kernels/variant.h"

namespace rotor::cpu {
namespace {

// Sixteen columns of V::kRows rows in two bits each (Bits2x16).
template <typename V>
struct TwoBits {
  static constexpr std::size_t kStepBytes = 64;  // from 16 columns of 16 rows to the next
  static constexpr std::size_t group_bytes(std::size_t stride) { return stride / 16 * kStepBytes; }
  static constexpr int kFieldBits = 2;
  using Step = typename V::Ints;

  static Step load(const std::byte* at) { return V::load(at); }
  // Codes of columns 4 J to 4 J + 3, times 4^kPlace: where they lie already, no shift is needed.
  template <int J, int kPlace = 0>
  static typename V::Ints codes(Step step) {
    return V::and_with(V::template shift_right<2 * (J - kPlace)>(step), 0x03030303u << 2 * kPlace);
  }
};

// The same in a byte each (Int8x16).
template <typename V>
struct Bytes {
  static constexpr std::size_t kStepBytes = 256;
  static constexpr std::size_t group_bytes(std::size_t stride) { return stride / 16 * kStepBytes; }
  static constexpr int kFieldBits = 0;
  using Step = const std::byte*;

  static Step load(const std::byte* at) { return at; }
  template <int J, int kPlace = 0>  // places make no difference: kFieldBits is 0
  static typename V::Ints codes(Step step) {
    return V::load(step + 64 * J);
  }
};

// kVectors vectors of rows. Those past the end repeat the last one and are not stored.
template <typename V, std::size_t kVectors>
struct Panel {
  static constexpr std::size_t kRows = kVectors * V::kRows;
  const std::byte* weights[kVectors];
  alignas(64) float scales[kRows];
  std::size_t row;   // the first
  std::size_t rows;  // to store
};

template <typename V, typename Weights, std::size_t kVectors>
Panel<V, kVectors> panel_at(const CpuCall& call, std::size_t row) {
  const auto& p = call.parameters<MatmulParams>();
  const std::size_t group_bytes = Weights::group_bytes(p.stride);
  const std::size_t padded_end = (std::size_t{call.end} + 15) / 16 * 16;
  Panel<V, kVectors> panel;
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t first = std::min(row + v * V::kRows, padded_end - V::kRows);
    panel.weights[v] = call.buffer<const std::byte>(2) + first / 16 * group_bytes + first % 16 * 4;
  }
  panel.row = row;
  panel.rows = std::min(panel.kRows, call.end - row);
  std::memset(panel.scales, 0, sizeof panel.scales);
  std::memcpy(panel.scales, call.buffer<const float>(3) + row, panel.rows * sizeof(float));
  return panel;
}

// out = float(sum - token.sum) * (scale * token.scale) for the panel's rows and `count` tokens from
// `first` on.
template <typename V, std::size_t kVectors>
void finish(const CpuCall& call, const Panel<V, kVectors>& panel, std::size_t first,
            const typename V::Ints (*sums)[kVectors], std::size_t count) {
  const TokenScale* tokens = call.buffer<const TokenScale>(1) + first;
  const std::size_t n = call.parameters<MatmulParams>().n;
  float* out = call.buffer<float>(4) + first * n + panel.row;
  for (std::size_t t = 0; t < count; ++t) {
    alignas(64) float values[kVectors * V::kRows];
    float* to = panel.rows == panel.kRows ? out + t * n : values;
    for (std::size_t v = 0; v < kVectors; ++v) {
      V::store_scaled(to + v * V::kRows, sums[t][v], tokens[t].sum, panel.scales + v * V::kRows,
                      tokens[t].scale);
    }
    if (to == values) std::memcpy(out + t * n, values, panel.rows * sizeof(float));
  }
}

// Functions that multiply 1, 2, ... kMost tokens, from a first one on, with a panel.
template <typename V, std::size_t kVectors, std::size_t kMost>
using Tiles = std::array<void (*)(const CpuCall&, const Panel<V, kVectors>&, std::size_t), kMost>;

// The whole slice; tokens are cut into tiles of nearly equal size.
template <typename V, typename Weights, std::size_t kVectors, std::size_t kMost>
void multiply(const CpuCall& call, const Tiles<V, kVectors, kMost>& tiles) {
  const std::size_t m = call.parameters<MatmulParams>().m;
  const std::size_t count = (m + kMost - 1) / kMost;
  for (std::size_t row = call.begin; row < call.end; row += kVectors * V::kRows) {
    const auto panel = panel_at<V, Weights, kVectors>(call, row);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t first = i * m / count;
      tiles[(i + 1) * m / count - first - 1](call, panel, first);
    }
  }
}

}  // namespace
}  // namespace rotor::cpu
