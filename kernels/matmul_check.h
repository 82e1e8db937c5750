// Products with known results, and rows of the registry held against them: what the tests of matmul
// kernels share.
#pragma once

#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/ternary.h"
#include "kernels/run_row.h"

namespace rotor {

struct MatmulShape {
  std::uint32_t m, n, k;
};

// Weights and activations that real data never has, and some that it has.
enum class TritFill { Random, AllPlus, AllMinus, AllZero, RowBlocks };
enum class CodeFill {
  Random,        // -128 included
  AllMax,        // 127
  AllMin,        // -128
  MatchesSigns,  // 127 times the sign of a weight row: the largest sums
  OpposesSigns,  // -128 where that row has +1, 127 where it has -1
  Alternates1,   // 127, -128 in turns of 1, 4, 16, 64, 256 columns: sums that cancel late
  Alternates4,
  Alternates16,
  Alternates64,
  Alternates256,
  OneHot,  // one column per token, swept over the row
  Zeros,
};
inline constexpr TritFill kTritFills[] = {TritFill::Random, TritFill::AllPlus, TritFill::AllMinus,
                                          TritFill::AllZero, TritFill::RowBlocks};
inline constexpr CodeFill kCodeFills[] = {
    CodeFill::Random,       CodeFill::AllMax,        CodeFill::AllMin,      CodeFill::MatchesSigns,
    CodeFill::OpposesSigns, CodeFill::Alternates1,   CodeFill::Alternates4, CodeFill::Alternates16,
    CodeFill::Alternates64, CodeFill::Alternates256, CodeFill::OneHot,      CodeFill::Zeros};

inline TernaryMatrix fill_trits(TritFill fill, const MatmulShape& shape, Random& random) {
  std::vector<std::int8_t> trits(std::size_t{shape.n} * shape.k);
  for (std::size_t i = 0; i < trits.size(); ++i) {
    const auto row = static_cast<std::uint32_t>(i / shape.k);
    const auto any = static_cast<std::int8_t>(static_cast<int>(random.below(3)) - 1);
    switch (fill) {
      case TritFill::Random:
        trits[i] = any;
        break;
      case TritFill::AllPlus:
        trits[i] = 1;
        break;
      case TritFill::AllMinus:
        trits[i] = -1;
        break;
      case TritFill::AllZero:
        trits[i] = 0;
        break;
      case TritFill::RowBlocks:
        trits[i] = row % 4 == 3 ? any : static_cast<std::int8_t>(static_cast<int>(row % 4) - 1);
        break;
    }
  }
  // Blocks of rows with scales of their own, as fused projections have them.
  const std::uint32_t upper = shape.n / 3;
  std::vector<ScaleBlock> scales{{shape.n - upper, 1.7f}};
  if (upper > 0) scales.push_back({upper, 0.003f});
  return TernaryMatrix(shape.n, shape.k, std::move(trits), std::move(scales));
}

inline int fill_code(CodeFill fill, std::uint32_t token, std::uint32_t column, std::uint32_t k,
                     int trit, Random& random) {
  const auto turn = [&](std::uint32_t period) { return column / period % 2 == 0 ? 127 : -128; };
  switch (fill) {
    case CodeFill::Random:
      return static_cast<int>(random.below(256)) - 128;
    case CodeFill::AllMax:
      return 127;
    case CodeFill::AllMin:
      return -128;
    case CodeFill::MatchesSigns:
      return 127 * trit;
    case CodeFill::OpposesSigns:
      return trit > 0 ? -128 : 127;
    case CodeFill::Alternates1:
      return turn(1);
    case CodeFill::Alternates4:
      return turn(4);
    case CodeFill::Alternates16:
      return turn(16);
    case CodeFill::Alternates64:
      return turn(64);
    case CodeFill::Alternates256:
      return turn(256);
    case CodeFill::OneHot:
      return column == (7 * token + k - 1) % k ? -127 : 0;
    case CodeFill::Zeros:
      return 0;
  }
  return 0;
}

// A product and its exact result.
struct Product {
  MatmulParams params;
  TernaryMatrix weights;
  std::vector<std::int8_t> codes;  // [m, stride]
  std::vector<TokenScale> tokens;  // [m]
  std::vector<float> want;         // [m, n]
};

inline Product make_product(const MatmulShape& shape, TritFill trits, CodeFill codes,
                            std::uint64_t seed) {
  Random random(seed);
  const std::uint32_t stride = activation_stride(shape.k);
  Product p{{shape.m, shape.n, shape.k, stride}, fill_trits(trits, shape, random), {}, {}, {}};
  p.codes.resize(std::size_t{shape.m} * stride);
  const std::vector<float> scales = p.weights.row_scales();
  for (std::uint32_t t = 0; t < shape.m; ++t) {
    const auto row = p.weights.row(t % shape.n);
    std::int8_t* q = p.codes.data() + std::size_t{t} * stride;
    int sum = 0;
    for (std::uint32_t j = 0; j < shape.k; ++j) {
      q[j] = static_cast<std::int8_t>(fill_code(codes, t, j, shape.k, row[j], random));
      sum += q[j];
    }
    p.tokens.push_back({0.01f + 0.37f * static_cast<float>(t), sum});
    for (std::uint32_t r = 0; r < shape.n; ++r) {
      std::int64_t acc = 0;
      for (std::uint32_t j = 0; j < shape.k; ++j) acc += std::int64_t{p.weights.row(r)[j]} * q[j];
      p.want.push_back(static_cast<float>(acc) * (scales[r] * p.tokens[t].scale));
    }
  }
  return p;
}

// Runs a row on a product, cut in two slices if it is high enough. Says what is wrong: an output with
// other bits than wanted, or something written outside the output. Empty if nothing is.
inline std::string error_of(const KernelVariant& row, const Product& p) {
  constexpr std::size_t kGuard = 64;
  const auto poison = std::bit_cast<float>(0x7FF12345u);  // a NaN
  const std::vector<std::byte> weights = pack(p.weights, row.packing);
  const std::vector<float> scales = p.weights.row_scales();
  std::vector<float> out(p.want.size() + 2 * kGuard, poison);
  const std::uint32_t cut = p.params.n / 2 / row.grain() * row.grain();
  run_row(row,
          {p.codes.data(), p.tokens.data(), weights.data(), scales.data(), out.data() + kGuard},
          p.params, std::vector<std::uint32_t>(cut > 0 ? 1 : 0, cut));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool inside = i >= kGuard && i < kGuard + p.want.size();
    const float want = inside ? p.want[i - kGuard] : poison;
    if (std::bit_cast<std::uint32_t>(out[i]) == std::bit_cast<std::uint32_t>(want)) continue;
    const auto& [m, n, k, stride] = p.params;
    const std::string shape = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
    if (!inside) return std::string(row.name) + " " + shape + ": wrote outside the output";
    return std::string(row.name) + " " + shape + ": token " + std::to_string((i - kGuard) / n) +
           ", row " + std::to_string((i - kGuard) % n) + " is " + std::to_string(out[i]) +
           " instead of " + std::to_string(want);
  }
  return "";
}

// Sizes around every tile: tokens up to two tiles and more, rows around 16, 32, 64, columns around
// the words, the vectors and the 256 columns between two widenings.
inline std::vector<MatmulShape> matmul_shapes() {
  std::vector<MatmulShape> shapes = {{1, 1, 1},     {1, 16, 64},   {2, 7, 3},    {3, 15, 15},
                                     {1, 17, 16},   {5, 31, 17},   {7, 33, 63},  {4, 63, 65},
                                     {1, 65, 127},  {6, 64, 128},  {8, 47, 129}, {1, 200, 255},
                                     {2, 80, 257},  {3, 96, 515},  {9, 40, 517}, {1, 100, 1003},
                                     {16, 50, 259}, {33, 20, 300}, {40, 5, 31},  {25, 130, 70}};
  for (std::uint32_t m = 1; m <= 27; ++m) shapes.push_back({m, 16 + m, 180});
  return shapes;
}

struct MatmulCase {
  MatmulShape shape;
  TritFill trits;
  CodeFill codes;
};

// Every fill on three shapes, each shape with random data and another fill, and sums as long as the
// widest layer's, where narrow accumulators overflow.
inline std::vector<MatmulCase> matmul_cases() {
  std::vector<MatmulCase> cases;
  for (const MatmulShape& shape : {MatmulShape{1, 50, 1100}, {5, 36, 1100}, {14, 20, 700}}) {
    for (const TritFill trits : kTritFills) {
      for (const CodeFill codes : kCodeFills) cases.push_back({shape, trits, codes});
    }
  }
  for (const MatmulShape& shape : matmul_shapes()) {
    cases.push_back({shape, kTritFills[cases.size() % std::size(kTritFills)],
                     kCodeFills[cases.size() % std::size(kCodeFills)]});
    cases.push_back({shape, TritFill::Random, CodeFill::Random});
  }
  for (const CodeFill codes : {CodeFill::AllMin, CodeFill::AllMax, CodeFill::OpposesSigns}) {
    for (const TritFill trits : {TritFill::AllPlus, TritFill::AllMinus, TritFill::Random}) {
      cases.push_back({{1, 19, 6912}, trits, codes});
      cases.push_back({{7, 19, 6912}, trits, codes});
    }
  }
  return cases;
}

// Runs all cases on a row. Says what is wrong with the first that is not exact, else is empty.
inline std::string first_error(const KernelVariant& row) {
  std::uint64_t seed = 0;
  for (const MatmulCase& c : matmul_cases()) {
    const std::string error = error_of(row, make_product(c.shape, c.trits, c.codes, ++seed));
    if (!error.empty()) return error + " (seed " + std::to_string(seed) + ")";
  }
  return "";
}

}  // namespace rotor
