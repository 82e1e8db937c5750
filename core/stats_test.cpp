#include "core/stats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "core/random.h"

namespace rotor {
namespace {

// Worked by hand: position (n - 1) q between the sorted 1, 4, 7, 10.
TEST(Stats, QuantilesInterpolateLikeType7) {
  const std::vector<double> x = {7, 1, 10, 4};
  EXPECT_DOUBLE_EQ(quantile(x, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(x, 0.25), 3.25);
  EXPECT_DOUBLE_EQ(quantile(x, 0.5), 5.5);
  EXPECT_DOUBLE_EQ(quantile(x, 0.9), 9.1);
  EXPECT_DOUBLE_EQ(quantile(x, 1), 10);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{3}), 3);
}

TEST(Stats, DeviationIsTheMedianDistanceFromTheMedian) {
  // Median 2, distances 1 1 0 0 2 4 7, their median 1.
  EXPECT_DOUBLE_EQ(median_absolute_deviation(std::vector<double>{1, 1, 2, 2, 4, 6, 9}), 1);
  EXPECT_DOUBLE_EQ(median_absolute_deviation(std::vector<double>{5, 5, 5}), 0);
}

// The table of nonparametric intervals (Conover, "Practical nonparametric statistics", binomial
// table with p = 1/2): which order statistics bound the median with at least 95 %.
TEST(Stats, IntervalUsesTheBinomialOrderStatistics) {
  struct Row {
    std::size_t n;
    double low, high;  // ranks from 1
  };
  for (const Row& row : {Row{5, 1, 5}, Row{6, 1, 6}, Row{8, 1, 8}, Row{9, 2, 8}, Row{10, 2, 9},
                         Row{20, 6, 15}, Row{50, 18, 33}, Row{100, 40, 61}}) {
    std::vector<double> ranks(row.n);
    std::iota(ranks.rbegin(), ranks.rend(), 1.0);  // descending: order must not matter
    const auto [low, high] = median_interval(ranks, 0.95);
    EXPECT_EQ(low, row.low) << "n = " << row.n;
    EXPECT_EQ(high, row.high) << "n = " << row.n;
  }
}

TEST(Stats, IntervalOfThousandsOfSamplesDoesNotUnderflow) {
  std::vector<double> ranks(10001);
  std::iota(ranks.begin(), ranks.end(), 1.0);
  const auto [low, high] = median_interval(ranks, 0.95);
  // Normal approximation: 5001 -+ 1.96 sqrt(10001) / 2 = 5001 -+ 98.
  EXPECT_NEAR(low, 5001 - 98, 1);
  EXPECT_NEAR(high, 5001 + 98, 1);
}

// Coverage is what the interval promises, whatever the distribution: exponential samples, whose
// median is ln 2. 2,000 trials of a 95 % interval miss at most 5 %, give or take 3 sigma (1.5 %).
TEST(Stats, IntervalCoversTheMedianOfASkewedDistribution) {
  Random random(7);
  int missed = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<double> x(15);
    for (double& v : x) v = -std::log(1 - random.uniform());
    const auto [low, high] = median_interval(x, 0.95);
    missed += std::log(2.0) < low || std::log(2.0) > high;
  }
  EXPECT_LE(missed, 2000 * 0.065);
  EXPECT_GE(missed, 2000 * 0.02);  // 15 samples: exact coverage 96.5 %
}

TEST(Stats, UncertaintyIsUnknownUntilTheIntervalExists) {
  EXPECT_TRUE(std::isinf(median_uncertainty(std::vector<double>{1, 1, 1, 1, 1}, 0.95)));
  EXPECT_DOUBLE_EQ(median_uncertainty(std::vector<double>{9, 10, 10, 10, 10, 11}, 0.95), 0.1);
}

TEST(Stats, TrendComparesTheEnds) {
  EXPECT_DOUBLE_EQ(relative_trend(std::vector<double>{10, 10, 10, 10, 12, 12}), 0.2);
  EXPECT_DOUBLE_EQ(relative_trend(std::vector<double>{12, 12, 10, 10, 10, 10}), -0.2);
  EXPECT_DOUBLE_EQ(relative_trend(std::vector<double>{1, 2, 3}), 0);
}

}  // namespace
}  // namespace rotor
