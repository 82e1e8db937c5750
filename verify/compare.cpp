#include "verify/compare.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "core/random.h"

namespace rotor {
namespace {

// Distance that sorts NaN last. Equal infinities are no distance apart.
double distance(double want, double got) {
  if (want == got || (std::isnan(want) && std::isnan(got))) return 0;
  const double d = std::fabs(want - got);
  return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
}

void keep_worst(std::vector<Mismatch>& kept, const Mismatch& m) {
  const auto worse = [](const Mismatch& a, const Mismatch& b) {
    return distance(a.want, a.got) > distance(b.want, b.got);
  };
  kept.insert(std::upper_bound(kept.begin(), kept.end(), m, worse), m);
  if (kept.size() > kMismatchesKept) kept.pop_back();
}

}  // namespace

void Comparison::add(std::uint32_t row, std::uint32_t col, double want, double got, bool allowed) {
  ++checked;
  max_abs = std::max(max_abs, distance(want, got));
  if (allowed) return;
  ++mismatches;
  keep_worst(first, {row, col, want, got});
}

void Comparison::merge(const Comparison& other) {
  checked += other.checked;
  mismatches += other.mismatches;
  suspects += other.suspects;
  flips += other.flips;
  for (const Mismatch& m : other.first) keep_worst(first, m);
  max_abs = std::max(max_abs, other.max_abs);
  if (other.max_over_bound) {
    max_over_bound = std::max(max_over_bound.value_or(0), *other.max_over_bound);
  }
}

Comparison compare_exact(std::span<const float> want, std::span<const float> got,
                         std::size_t columns, std::size_t stride) {
  Comparison result;
  for (std::size_t row = 0; row * columns < want.size(); ++row) {
    const float* w = want.data() + row * columns;
    const float* g = got.data() + row * stride;
    assert((row * stride) + columns <= got.size());
    if (std::memcmp(w, g, columns * sizeof(float)) == 0) {
      result.checked += columns;
      continue;
    }
    for (std::size_t col = 0; col < columns; ++col) {
      const bool same =
          std::bit_cast<std::uint32_t>(w[col]) == std::bit_cast<std::uint32_t>(g[col]);
      result.add(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(col), w[col], g[col],
                 same);
    }
  }
  return result;
}

Comparison compare_exact(std::span<const std::byte> want, std::span<const std::byte> got,
                         std::size_t columns) {
  assert(want.size() == got.size());
  Comparison result;
  if (std::memcmp(want.data(), got.data(), want.size()) == 0) {
    result.checked = want.size();
    return result;
  }
  for (std::size_t i = 0; i < want.size(); ++i) {
    result.add(static_cast<std::uint32_t>(i / columns), static_cast<std::uint32_t>(i % columns),
               std::to_integer<int>(want[i]), std::to_integer<int>(got[i]), want[i] == got[i]);
  }
  return result;
}

Comparison compare_bounded(std::span<const double> want, std::span<const double> bound,
                           double quality, std::span<const float> got, std::size_t columns,
                           std::size_t stride) {
  assert(want.size() == bound.size());
  Comparison result;
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::size_t row = i / columns;
    const std::size_t col = i % columns;
    const double g = got[row * stride + col];
    const double error = std::fabs(g - want[i]);
    const bool allowed = error <= bound[i];  // false for NaN
    if (allowed && bound[i] > 0) {
      worst = std::max(worst, error / bound[i]);
      if (error > quality * bound[i]) ++result.suspects;
    }
    result.add(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(col), want[i], g,
               allowed);
  }
  result.max_over_bound = worst;
  return result;
}

std::string describe_mismatches(const Comparison& comparison) {
  const Mismatch& worst = comparison.first.front();
  char values[80];
  std::snprintf(values, sizeof values, ": %.9g, not %.9g", worst.got, worst.want);
  return std::to_string(comparison.mismatches) + " of " + std::to_string(comparison.checked) +
         " outputs differ; row " + std::to_string(worst.row) + ", column " +
         std::to_string(worst.col) + values;
}

std::string describe_suspects(const Comparison& comparison) {
  return std::to_string(comparison.suspects) + " of " + std::to_string(comparison.checked) +
         " errors are within their bound, but larger than rounding explains with random signs";
}

std::uint64_t digest(std::span<const std::byte> bytes, std::uint64_t hash) {
  hash = mix(hash ^ bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(bytes.size(), sizeof word);
    std::memcpy(&word, bytes.data(), size);
    hash = mix(hash ^ word);
    bytes = bytes.subspan(size);
  }
  return hash;
}

}  // namespace rotor
