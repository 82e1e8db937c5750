// Comparison of outputs with a reference, bit for bit or within a bound per element; digests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

namespace rotor {

inline constexpr std::size_t kMismatchesKept = 10;

// What a comparison found. Several of them add up to one by `merge`.
struct Comparison {
  std::uint64_t checked = 0;
  std::uint64_t mismatches = 0;
  std::vector<Mismatch> first;           // at most kMismatchesKept, worst first
  double max_abs = 0;                    // infinite if a value is NaN that should not be
  std::optional<double> max_over_bound;  // largest |error| / bound of bounded elements
  // Elements within their hard bound but beyond the quality bound (compare_bounded).
  std::uint64_t suspects = 0;

  // Codes of a quantiser that are right but not the reference's: they lie next to a rounding border.
  std::uint64_t flips = 0;

  bool equal() const { return mismatches == 0; }
  // Counts one element; `allowed` says whether its difference is acceptable.
  void add(std::uint32_t row, std::uint32_t col, double want, double got, bool allowed);
  void merge(const Comparison& other);
};

// Equal bits, element by element. `columns` turns an index into row and column; rows of `got` lie
// `stride` elements apart, rows of `want` are dense.
Comparison compare_exact(std::span<const float> want, std::span<const float> got,
                         std::size_t columns, std::size_t stride);
Comparison compare_exact(std::span<const std::byte> want, std::span<const std::byte> got,
                         std::size_t columns);

// |got - want| <= bound, element by element; NaN and infinity never pass. An element whose bound is
// zero must have the same value. Elements beyond `quality * bound` are counted as suspects;
// quality 1 turns that off.
Comparison compare_bounded(std::span<const double> want, std::span<const double> bound,
                           double quality, std::span<const float> got, std::size_t columns,
                           std::size_t stride);

// "3 of 1400 outputs differ; row 3, column 15: 2.5, not 1.5". There must be mismatches.
std::string describe_mismatches(const Comparison& comparison);
std::string describe_suspects(const Comparison& comparison);

// A 64-bit digest of bytes; continue one by passing it as `hash`.
std::uint64_t digest(std::span<const std::byte> bytes, std::uint64_t hash = 0);

}  // namespace rotor
