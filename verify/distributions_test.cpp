// Distributions hold what their names promise.

#include "verify/distributions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace rotor {
namespace {

std::vector<float> row_of(const RowSpec& spec, std::uint32_t k,
                          std::span<const std::int8_t> matched = {}) {
  Random random(9);
  std::vector<float> row(k);
  fill_row(spec, random, matched, Values::Integers, row);
  return row;
}

TEST(DistributionsTest, IntegersAreCodesAndReachTheExtremes) {
  for (const Distribution& d : distributions(1100)) {
    MatmulData data;
    make_weights(d, 2, 20, 1100, data);
    make_activations(d, 2, 20, Values::Integers, 0, data);
    for (const float v : data.x) {
      ASSERT_EQ(v, std::nearbyint(v)) << d.name;
      ASSERT_GE(v, -128) << d.name;
      ASSERT_LE(v, 127) << d.name;
    }
    const auto [low, high] = std::minmax_element(data.x.begin(), data.x.end());
    if (d.name == "uniform") {
      EXPECT_TRUE(*low == -127 && *high == 127);
    }
    if (d.name == "llm_like") {
      EXPECT_EQ(std::max(-*low, *high), 127);
    }
    if (d.name == "with_-128") {
      EXPECT_EQ(*low, -128);
    }
  }
}

// The sum that signs allow: it overflows int16.
TEST(DistributionsTest, SignMatchedReachesTheLargestSum) {
  std::vector<std::int8_t> weights(1100);
  Random random(1);
  fill_weights(WeightKind::Random, 0, random, weights);
  const std::vector<float> row = row_of({RowKind::SignMatched}, 1100, weights);
  float sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j) sum += row[j] * static_cast<float>(weights[j]);
  const auto nonzero = std::count_if(weights.begin(), weights.end(), [](int w) { return w != 0; });
  EXPECT_EQ(sum, 127.0f * static_cast<float>(nonzero));
  EXPECT_GT(sum, 32767);
}

TEST(DistributionsTest, ExactFillStaysBelowTheLimitOfHalves) {
  for (const std::uint32_t k : {1u, 17u, 2048u, 2049u, 6912u}) {
    const std::vector<float> row = row_of({RowKind::ExactFill}, k);
    float sum = 0;
    for (const float v : row) sum += std::fabs(v);
    EXPECT_LE(sum, 2048) << k;
    EXPECT_GT(sum, 0) << k;
  }
}

TEST(DistributionsTest, PatternsOfSingleRows) {
  EXPECT_EQ(row_of({RowKind::OneHot, 2}, 4), (std::vector<float>{0, 0, 127, 0}));
  EXPECT_EQ(row_of({RowKind::Alternating, 2}, 5), (std::vector<float>{127, 127, -127, -127, 127}));
  const std::vector<float> block = row_of({RowKind::HalfBlock, 1}, 130);
  EXPECT_EQ(std::accumulate(block.begin(), block.end(), 0.0f), 64 * 127);
  EXPECT_EQ(block[63], 0);
  EXPECT_EQ(block[64], 127);
}

TEST(DistributionsTest, CompositeHasEveryKindInSevenTokens) {
  MatmulData data;
  make_weights(composite(), 3, 200, 64, data);
  make_activations(composite(), 3, 7, Values::Integers, 0, data);
  std::set<RowKind> kinds;
  for (const RowSpec& row : data.rows) kinds.insert(row.kind);
  EXPECT_EQ(kinds.size(), 7u);
  std::set<int> sums;  // of weight rows: all +1, all -1, all 0 are there
  for (std::size_t r = 0; r < data.n; ++r) {
    sums.insert(std::accumulate(data.trits.begin() + static_cast<std::ptrdiff_t>(r * 64),
                                data.trits.begin() + static_cast<std::ptrdiff_t>((r + 1) * 64), 0));
  }
  EXPECT_TRUE(sums.contains(64) && sums.contains(-64) && sums.contains(0));
}

TEST(DistributionsTest, SeedDecidesTheData) {
  MatmulData a, b, c;
  make_weights(composite(), 4, 9, 33, a);
  make_weights(composite(), 4, 9, 33, b);
  make_weights(composite(), 5, 9, 33, c);
  EXPECT_EQ(a.trits, b.trits);
  EXPECT_NE(a.trits, c.trits);
}

}  // namespace
}  // namespace rotor
