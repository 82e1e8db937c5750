// The kinds of input that verification feeds to kernels (measuring-and-verifying C.4): each finds
// bugs that the others miss. Pure functions of a seed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"

namespace rotor {

// What one row of activations holds. Values are int8 codes for integer ops; for floating ops Uniform
// and LlmLike are not rounded.
enum class RowKind : std::uint8_t {
  Zeros,
  AllMax,       // 127
  AllMin,       // -127
  SignMatched,  // 127 * sign of a weight row: the largest sum that signs allow
  WithMin8,     // uniform, salted with -128
  LlmLike,      // Gaussian scaled by its largest element, with a few outliers
  Uniform,      // [-127, 127]
  Alternating,  // +127, -127, ..., changing sign every `parameter` columns
  HalfBlock,    // 127 in block number `parameter` of 64 columns, else 0
  OneHot,       // a single 127 at column `parameter`
  ExactFill,    // integers so small that every partial sum is at most 2048: exact even in f16
};

struct RowSpec {
  RowKind kind = RowKind::Uniform;
  std::uint32_t parameter = 0;
};

// What one row of ternary weights holds.
enum class WeightKind : std::uint8_t {
  Random,  // about two thirds of the trits are not zero, as in trained models
  AllPlus,
  AllMinus,
  AllZero,
  Basis,  // a single trit at (7 r + 3) mod k of row r
};

// Whether values of a row must be integers.
enum class Values : std::uint8_t { Integers, Reals };

// Fills one row. `matched` is the weight row of SignMatched, as long as the row.
void fill_row(const RowSpec& spec, Random& random, std::span<const std::int8_t> matched,
              Values values, std::span<float> row);
void fill_weights(WeightKind kind, std::uint32_t row_index, Random& random,
                  std::span<std::int8_t> row);

// A named distribution: the kinds that rows of a batch and rows of the weights go through in turn.
struct Distribution {
  std::string_view name;
  std::vector<RowSpec> rows;
  std::vector<WeightKind> weights;
  bool random_signs = false;  // errors of a sum average out: the quality bound holds
};

// A different kind in every row of the batch and every group of weight rows.
Distribution composite();
// What a model sees; timing uses it, too (the data's pattern changes the power that it takes).
Distribution llm_like();
// Every distribution for k columns: composite first.
std::vector<Distribution> distributions(std::uint32_t k);

// Codes and weights of a ternary product.
struct MatmulData {
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  std::vector<float> x;             // [m, k]
  std::vector<std::int8_t> trits;   // [n, k]
  std::vector<float> scales;        // [n]
  std::vector<float> token_scales;  // [m]
  std::vector<RowSpec> rows;        // [m], what each row of x is
};

// Weights do not depend on m: the same seed gives the same matrix for every batch.
void make_weights(const Distribution& distribution, std::uint64_t seed, std::uint32_t n,
                  std::uint32_t k, MatmulData& data);
// Activations for the weights in `data`. Row t takes kind number `first_kind` + t.
void make_activations(const Distribution& distribution, std::uint64_t seed, std::uint32_t m,
                      Values values, std::uint32_t first_kind, MatmulData& data);

}  // namespace rotor
