#include "core/ternary.h"

#include <cmath>
#include <numeric>
#include <string>

#include "core/error.h"

namespace rotor {

TernaryMatrix::TernaryMatrix(std::uint32_t n, std::uint32_t k, std::vector<std::int8_t> trits,
                             std::vector<ScaleBlock> scales)
    : n_(n), k_(k), trits_(std::move(trits)), scales_(std::move(scales)) {
  const std::string shape = std::to_string(n) + "x" + std::to_string(k);
  if (n == 0 || k == 0) throw FormatError("ternary matrix " + shape + ": a size is zero");
  if (trits_.size() != std::size_t{n} * k) {
    throw FormatError("ternary matrix " + shape + ": " + std::to_string(trits_.size()) +
                      " elements instead of " + std::to_string(std::size_t{n} * k));
  }
  // One branch-free pass in 8-bit lanes, so that the check costs little beside reading the data.
  unsigned char bad = 0;
  for (const std::int8_t t : trits_) {
    bad |= static_cast<unsigned char>(static_cast<unsigned char>(t + 1) > 2);
  }
  if (bad != 0) throw FormatError("ternary matrix " + shape + ": an element is not -1, 0 or +1");
  std::size_t rows = 0;
  for (const ScaleBlock& block : scales_) {
    rows += block.rows;
    if (!std::isfinite(block.scale) || block.scale <= 0) {
      throw FormatError("ternary matrix " + shape + ": scale " + std::to_string(block.scale) +
                        " is not finite and positive");
    }
  }
  if (rows != n) {
    throw FormatError("ternary matrix " + shape + ": scales cover " + std::to_string(rows) +
                      " rows");
  }
}

std::vector<float> TernaryMatrix::row_scales() const {
  std::vector<float> result;
  result.reserve(n_);
  for (const ScaleBlock& block : scales_) result.insert(result.end(), block.rows, block.scale);
  return result;
}

TernaryMatrix stack_rows(std::span<const TernaryMatrix> parts) {
  if (parts.empty()) throw FormatError("no matrices to stack");
  std::uint32_t n = 0;
  std::vector<std::int8_t> trits;
  std::vector<ScaleBlock> scales;
  trits.reserve(
      std::accumulate(parts.begin(), parts.end(), std::size_t{0},
                      [](std::size_t sum, const auto& p) { return sum + p.trits().size(); }));
  for (const TernaryMatrix& part : parts) {
    if (part.k() != parts.front().k()) throw FormatError("stacked matrices differ in width");
    n += part.n();
    trits.insert(trits.end(), part.trits().begin(), part.trits().end());
    scales.insert(scales.end(), part.scales().begin(), part.scales().end());
  }
  return {n, parts.front().k(), std::move(trits), std::move(scales)};
}

}  // namespace rotor
