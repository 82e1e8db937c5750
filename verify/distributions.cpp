#include "verify/distributions.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace rotor {
namespace {

constexpr float kMax = 127;
constexpr std::uint32_t kHalfBlock = 64;   // columns: the piece after which narrow sums are widened
constexpr std::uint32_t kExactSum = 2048;  // integers that f16 holds
constexpr std::uint32_t kWeightGroup = 4;  // consecutive weight rows of one kind

// Box and Muller's transform of two uniform numbers; its logarithm never sees zero.
double gaussian(Random& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
  return radius * std::cos(2 * std::numbers::pi * random.uniform());
}

void fill_llm_like(Random& random, std::span<float> row) {
  constexpr std::uint32_t kOutlierEvery = 512;  // columns; about as rare as in trained models
  float top = 0;
  for (float& v : row) {
    v = static_cast<float>(gaussian(random));
    if (random.below(kOutlierEvery) == 0) v *= 8;
    top = std::max(top, std::fabs(v));
  }
  if (top == 0) return;
  for (float& v : row) v *= kMax / top;
}

float uniform_code(Random& random) {
  return static_cast<float>(random.below(255)) - kMax;
}

// Integers whose magnitudes add up to at most kExactSum: of any size that fits, or +-1 here and
// there where k alone is too many.
void fill_exact(Random& random, std::span<float> row) {
  const auto k = static_cast<std::uint32_t>(row.size());
  const std::uint32_t top = std::min(kExactSum / k, 127u);
  std::uint32_t left = kExactSum;
  for (float& v : row) {
    std::uint32_t magnitude = 1 + random.below(std::max(top, 1u));
    if (top == 0 && random.below(k) >= kExactSum / 2) magnitude = 0;
    magnitude = std::min(magnitude, left);
    left -= magnitude;
    v = static_cast<float>(magnitude) * (random.below(2) == 0 ? 1.0f : -1.0f);
  }
}

}  // namespace

void fill_row(const RowSpec& spec, Random& random, std::span<const std::int8_t> matched,
              Values values, std::span<float> row) {
  const auto k = static_cast<std::uint32_t>(row.size());
  switch (spec.kind) {
    case RowKind::Zeros:
      std::fill(row.begin(), row.end(), 0.0f);
      return;
    case RowKind::AllMax:
      std::fill(row.begin(), row.end(), kMax);
      return;
    case RowKind::AllMin:
      std::fill(row.begin(), row.end(), -kMax);
      return;
    case RowKind::SignMatched:
      for (std::uint32_t j = 0; j < k; ++j) row[j] = matched[j] < 0 ? -kMax : kMax;
      return;
    case RowKind::WithMin8:
      for (float& v : row) v = random.below(4) == 0 ? -128.0f : uniform_code(random);
      row[k - 1] = -128.0f;
      return;
    case RowKind::LlmLike:
      fill_llm_like(random, row);
      break;
    case RowKind::Uniform:
      for (float& v : row) {
        v = values == Values::Integers ? uniform_code(random)
                                       : static_cast<float>((2 * random.uniform() - 1) * kMax);
      }
      return;
    case RowKind::Alternating:
      for (std::uint32_t j = 0; j < k; ++j) row[j] = j / spec.parameter % 2 == 0 ? kMax : -kMax;
      return;
    case RowKind::HalfBlock:
      for (std::uint32_t j = 0; j < k; ++j) row[j] = j / kHalfBlock == spec.parameter ? kMax : 0;
      return;
    case RowKind::OneHot:
      std::fill(row.begin(), row.end(), 0.0f);
      row[spec.parameter] = kMax;
      return;
    case RowKind::ExactFill:
      fill_exact(random, row);
      return;
  }
  if (values == Values::Integers) {
    for (float& v : row) v = std::nearbyint(v);
  }
}

void fill_weights(WeightKind kind, std::uint32_t row_index, Random& random,
                  std::span<std::int8_t> row) {
  switch (kind) {
    case WeightKind::AllPlus:
      std::fill(row.begin(), row.end(), std::int8_t{1});
      return;
    case WeightKind::AllMinus:
      std::fill(row.begin(), row.end(), std::int8_t{-1});
      return;
    case WeightKind::AllZero:
      std::fill(row.begin(), row.end(), std::int8_t{0});
      return;
    case WeightKind::Basis:
      std::fill(row.begin(), row.end(), std::int8_t{0});
      row[(7 * std::size_t{row_index} + 3) % row.size()] = row_index % 2 == 0 ? 1 : -1;
      return;
    case WeightKind::Random:
      break;
  }
  // One draw serves twelve trits, five bits each: of 32 values 11 are -1, 11 are +1, 10 are zero.
  for (std::size_t j = 0; j < row.size(); j += 12) {
    std::uint64_t bits = random.bits();
    for (std::size_t i = j; i < std::min(row.size(), j + 12); ++i, bits >>= 5) {
      const auto draw = static_cast<int>(bits & 31);
      row[i] = static_cast<std::int8_t>(draw < 11 ? -1 : draw < 22 ? 1 : 0);
    }
  }
}

Distribution composite() {
  using enum RowKind;
  using enum WeightKind;
  return {"composite",
          {{RowKind::LlmLike}, {Zeros}, {SignMatched}, {WithMin8}, {AllMax}, {Uniform}, {AllMin}},
          {Random, AllPlus, Random, Random, Random, Random, AllMinus, Random, Random, Random,
           Random, AllZero, Random, Random, Random, Random}};
}

Distribution llm_like() {
  return {"llm_like", {{RowKind::LlmLike}}, {WeightKind::Random}, true};
}

std::vector<Distribution> distributions(std::uint32_t k) {
  using enum RowKind;
  using enum WeightKind;
  Distribution one_hot{"one_hot", {}, {Random}};
  for (const std::uint32_t j :
       {0u, 1u, 3u, 4u, 15u, 16u, 31u, 32u, 63u, 64u, 127u, 128u, 255u, 256u}) {
    if (j < k - 1) one_hot.rows.push_back({OneHot, j});
  }
  one_hot.rows.push_back({OneHot, k - 1});
  Distribution half_block{"half_block", {}, {AllPlus, Random, AllMinus}};
  for (std::uint32_t block = 0; block * kHalfBlock < k; ++block) {
    half_block.rows.push_back({HalfBlock, block});
  }
  return {
      composite(),
      {"uniform", {{Uniform}}, {Random}, true},
      llm_like(),
      {"all_max", {{AllMax}}, {AllPlus}},
      {"all_min", {{AllMax}, {AllMin}}, {AllMinus}},
      {"sign_matched", {{SignMatched}}, {Random}},
      {"alternating",
       {{Alternating, 1},
        {Alternating, 4},
        {Alternating, 16},
        {Alternating, 32},
        {Alternating, 64},
        {Alternating, 256}},
       {AllPlus, Random}},
      half_block,
      one_hot,
      {"basis", {{Uniform}}, {Basis}},
      {"with_-128", {{WithMin8}}, {Random, AllMinus}},
      {"zeros", {{Zeros}, {Uniform}}, {AllZero, Random}},
      {"exact_fill", {{ExactFill}}, {Random, AllPlus, AllMinus}},
  };
}

void make_weights(const Distribution& distribution, std::uint64_t seed, std::uint32_t n,
                  std::uint32_t k, MatmulData& data) {
  Random random(mix(seed) ^ fnv1a("weights"));
  data.n = n;
  data.k = k;
  data.trits.resize(std::size_t{n} * k);
  for (std::uint32_t r = 0; r < n; ++r) {
    const WeightKind kind = distribution.weights[r / kWeightGroup % distribution.weights.size()];
    fill_weights(kind, r, random, std::span(data.trits).subspan(std::size_t{r} * k, k));
  }
  data.scales.resize(n);
  for (float& s : data.scales) s = static_cast<float>(0.5 + 4 * random.uniform());
  // Exact sums stay exact when they are scaled by powers of two.
  if (distribution.name == "exact_fill") {
    for (float& s : data.scales) s = std::exp2(static_cast<float>(random.below(8)) - 4);
  }
}

void make_activations(const Distribution& distribution, std::uint64_t seed, std::uint32_t m,
                      Values values, std::uint32_t first_kind, MatmulData& data) {
  Random random(mix(seed) ^ fnv1a(distribution.name) ^ mix(first_kind));
  data.m = m;
  data.x.resize(std::size_t{m} * data.k);
  data.rows.clear();
  data.token_scales.clear();
  for (std::uint32_t t = 0; t < m; ++t) {
    const RowSpec& spec = distribution.rows[(first_kind + t) % distribution.rows.size()];
    const std::size_t weight_row = random.below(data.n);
    fill_row(spec, random, std::span(data.trits).subspan(weight_row * data.k, data.k), values,
             std::span(data.x).subspan(std::size_t{t} * data.k, data.k));
    data.rows.push_back(spec);
    // From the scale of an all-zero token (1e-5 / 127) to that of a token of the FFN (1e10 / 127).
    data.token_scales.push_back(spec.kind == RowKind::Zeros
                                    ? 1e-5f * (1.0f / 127)
                                    : std::exp2(static_cast<float>(random.uniform() * 50 - 22)));
  }
}

}  // namespace rotor
