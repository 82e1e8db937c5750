// Logical ternary weights: the only form that people and the reference read.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace rotor {

// A block of consecutive rows that share one scale.
struct ScaleBlock {
  std::uint32_t rows;
  float scale;  // multiplies the integer product
};

// `n` outputs by `k` inputs, row-major, every element -1, 0 or +1, and one scale per block of
// rows (one block as a rule; fused q, k, v have three, gate and up two). Immutable.
class TernaryMatrix {
 public:
  // trits: [n, k]. Throws FormatError if a size is zero, the element count is not n * k, the
  // blocks do not cover n rows, an element is not a trit, or a scale is not finite and positive.
  TernaryMatrix(std::uint32_t n, std::uint32_t k, std::vector<std::int8_t> trits,
                std::vector<ScaleBlock> scales);
  TernaryMatrix(std::uint32_t n, std::uint32_t k, std::vector<std::int8_t> trits, float scale)
      : TernaryMatrix(n, k, std::move(trits), std::vector<ScaleBlock>{{n, scale}}) {}

  std::uint32_t n() const { return n_; }
  std::uint32_t k() const { return k_; }
  std::span<const std::int8_t> trits() const { return trits_; }  // [n, k]
  std::span<const std::int8_t> row(std::uint32_t r) const {
    return std::span(trits_).subspan(std::size_t{r} * k_, k_);
  }
  std::span<const ScaleBlock> scales() const { return scales_; }

  // The memory of the trits, to build another matrix in.
  std::vector<std::int8_t> release() && { return std::move(trits_); }

  // The scale of each row.
  std::vector<float> row_scales() const;  // [n]

 private:
  std::uint32_t n_;
  std::uint32_t k_;
  std::vector<std::int8_t> trits_;  // [n, k]
  std::vector<ScaleBlock> scales_;
};

// Puts matrices of equal k on top of each other (q, k, v or gate, up). Throws FormatError if the
// widths differ or the list is empty.
TernaryMatrix stack_rows(std::span<const TernaryMatrix> parts);

}  // namespace rotor
