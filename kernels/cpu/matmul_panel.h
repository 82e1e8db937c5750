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

// kVectors vectors of rows, in groups of 16. Rows past the end of the slice are not stored.
template <typename V, std::size_t kVectors>
struct Panel {
  const std::byte* weights[kVectors];
  alignas(64) float scales[kVectors][V::kRows];
  std::size_t row[kVectors];   // the first
  std::size_t rows[kVectors];  // to store
};

// The panel whose first group begins at `row`, the next ones `distance` rows apart.
template <typename V, typename Weights, std::size_t kVectors>
Panel<V, kVectors> panel_at(const CpuCall& call, std::size_t row, std::size_t distance) {
  const auto& p = call.parameters<MatmulParams>();
  const std::size_t group_bytes = Weights::group_bytes(p.stride);
  const std::size_t padded_end = (std::size_t{call.end} + 15) / 16 * 16;
  Panel<V, kVectors> panel;
  std::memset(panel.scales, 0, sizeof panel.scales);
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t lane = v * V::kRows;
    const std::size_t wanted = row + lane / 16 * distance + lane % 16;
    // Where a group is missing another stands in.
    const std::size_t first = wanted < padded_end ? wanted : row + lane % 16;
    panel.weights[v] = call.buffer<const std::byte>(2) + first / 16 * group_bytes + first % 16 * 4;
    panel.row[v] = wanted;
    panel.rows[v] = std::min(V::kRows, std::max<std::size_t>(call.end, wanted) - wanted);
    std::memcpy(panel.scales[v], call.buffer<const float>(3) + wanted,
                panel.rows[v] * sizeof(float));
  }
  return panel;
}

// work(panel) for all rows of the slice. The groups of a panel lie far apart, so that each of them
// continues where the panel before left it: where a row is short, neighbours would be read in leaps that
// the prefetchers of a Zen 4 do not follow (2560 columns in 8 KB, one token: half the speed).
template <typename V, typename Weights, std::size_t kVectors, typename Work>
void for_each_panel(const CpuCall& call, Work work) {
  constexpr std::size_t kGroups = kVectors * V::kRows / 16;
  const std::size_t groups = (call.end - call.begin + 15) / 16;
  const std::size_t distance = (groups + kGroups - 1) / kGroups * 16;
  for (std::size_t row = call.begin; row < call.begin + distance; row += 16) {
    work(panel_at<V, Weights, kVectors>(call, row, distance));
  }
}

// Fetches the lines that finish() will write for a tile of `count` tokens. They lie a row of the output apart,
// and a tile of many tokens takes longer than they do: 1 to 2 % of 32 and 128 tokens by 13824 x 2560 on Zen 4,
// where tiles of three tokens lost 2 to 5 %.
template <typename V, std::size_t kVectors>
ROTOR_INLINE void fetch_output(const CpuCall& call, const Panel<V, kVectors>& panel,
                               std::size_t first, std::size_t count) {
  constexpr std::size_t kLeast = 8;  // tokens
  if (count < kLeast) return;
  const std::size_t n = call.parameters<MatmulParams>().n;
  const float* const out = call.buffer<const float>(4) + first * n;
  for (std::size_t t = 0; t < count; ++t) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      __builtin_prefetch(out + t * n + panel.row[v], 1);
    }
  }
}

// out = float(sum - token.sum) * (scale * token.scale) for the panel's rows and `count` tokens from
// `first` on.
template <typename V, std::size_t kVectors>
void finish(const CpuCall& call, const Panel<V, kVectors>& panel, std::size_t first,
            const typename V::Ints (*sums)[kVectors], std::size_t count) {
  const TokenScale* tokens = call.buffer<const TokenScale>(1) + first;
  const std::size_t n = call.parameters<MatmulParams>().n;
  float* out = call.buffer<float>(4) + first * n;
  for (std::size_t t = 0; t < count; ++t) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      alignas(64) float values[V::kRows];
      float* const at = out + t * n + panel.row[v];
      float* const to = panel.rows[v] == V::kRows ? at : values;
      V::store_scaled(to, sums[t][v], tokens[t].sum, panel.scales[v], tokens[t].scale);
      if (to == values) std::memcpy(at, values, panel.rows[v] * sizeof(float));
    }
  }
}

// Functions that multiply 1, 2, ... kMost tokens, from a first one on, with a panel.
template <typename V, std::size_t kVectors, std::size_t kMost>
using Tiles = std::array<void (*)(const CpuCall&, const Panel<V, kVectors>&, std::size_t), kMost>;

// A panel times all tokens from `begin` on, which are cut into tiles of nearly equal size.
template <typename V, std::size_t kVectors, std::size_t kMost>
void multiply_panel(const CpuCall& call, const Panel<V, kVectors>& panel,
                    const Tiles<V, kVectors, kMost>& tiles, std::size_t begin = 0) {
  const std::size_t m = call.parameters<MatmulParams>().m - begin;
  const std::size_t count = (m + kMost - 1) / kMost;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t first = i * m / count;
    tiles[(i + 1) * m / count - first - 1](call, panel, begin + first);
  }
}

// The whole slice.
template <typename V, typename Weights, std::size_t kVectors, std::size_t kMost>
void multiply(const CpuCall& call, const Tiles<V, kVectors, kMost>& tiles) {
  for_each_panel<V, Weights, kVectors>(
      call, [&](const Panel<V, kVectors>& panel) { multiply_panel(call, panel, tiles); });
}

}  // namespace
}  // namespace rotor::cpu
