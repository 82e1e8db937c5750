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

// The table of the signed-rank test (Wilcoxon 1945; Hollander, Wolfe, "Nonparametric statistical
// methods", table A.4): P(T <= 0) = 2^-7 with 7 differences; P(T <= 5) = 0.0098 with 10.
TEST(Stats, SignedRankLimitsAreThoseOfTheTable) {
  const std::vector<double> seven = {1, 2, 4, 8, 16, 32, 64};
  const Shift of_seven = signed_rank_shift(seven, 0.98);
  EXPECT_DOUBLE_EQ(of_seven.low, 1);
  EXPECT_DOUBLE_EQ(of_seven.high, 64);
  EXPECT_TRUE(std::isinf(signed_rank_shift(std::vector<double>{1, 2, 3, 4, 5, 6}, 0.98).low));
  EXPECT_DOUBLE_EQ(signed_rank_p(seven, 0), 1.0 / 128);
  EXPECT_DOUBLE_EQ(signed_rank_p(seven, 100), 1);
  std::vector<double> ten(10);
  std::iota(ten.begin(), ten.end(),
            1.0);  // means of pairs: 1 1.5 2 2 2.5 2.5 3 ... : the 6th is 2.5
  const Shift of_ten = signed_rank_shift(ten, 0.98);
  EXPECT_DOUBLE_EQ(of_ten.estimate, 5.5);
  EXPECT_DOUBLE_EQ(of_ten.low, 2.5);
  EXPECT_DOUBLE_EQ(of_ten.high, 8.5);
  EXPECT_NEAR(signed_rank_p(ten, 0), 1.0 / 1024, 1e-12);
}

// What the method promises, tried: an interval of 98 % misses a shift of 0 on each side in 1 % of the
// trials, whatever the noise, as long as it is symmetric.
TEST(Stats, SignedRankIntervalsMissAsRarelyAsTheySay) {
  Random random(17);
  constexpr int kTrials = 4000;
  int missed = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> d;
    for (int i = 0; i < 10; ++i) {
      const double spread = random.uniform() < 0.1 ? 20 : 1;  // spikes
      d.push_back(spread * (random.uniform() - random.uniform()));
    }
    const Shift shift = signed_rank_shift(d, 0.98);
    missed += shift.low > 0 || shift.high < 0;
  }
  // 80 expected at the most; 0.0195 is the exact share, and four standard deviations are 35.
  EXPECT_LT(missed, 80 + 35);
  EXPECT_GT(missed, 80 - 36);
}

// The example of Benjamini and Hochberg's paper: 15 tests, of which the first four remain at 5 %.
TEST(Stats, FalseDiscoveriesAreLimitedAsInThePaper) {
  const std::vector<double> p = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                                 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
  const std::vector<bool> significant = benjamini_hochberg(p, 0.05);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_EQ(significant[i], i < 4) << i;
  EXPECT_TRUE(benjamini_hochberg({}, 0.05).empty());
}

// From tables and closed forms: exp(-x / 2) for two degrees, exp(-x / 2) (1 + x / 2) for four, and
// erfc(sqrt(x / 2)) for one.
TEST(Stats, ChiSquareTail) {
  EXPECT_DOUBLE_EQ(chi_square_tail(0, 3), 1);
  for (const double x : {0.01, 0.5, 2.0, 5.0, 20.0, 100.0}) {
    EXPECT_NEAR(chi_square_tail(x, 1) / std::erfc(std::sqrt(x / 2)), 1, 1e-10) << x;
    EXPECT_NEAR(chi_square_tail(x, 2) / std::exp(-x / 2), 1, 1e-10) << x;
    EXPECT_NEAR(chi_square_tail(x, 4) / (std::exp(-x / 2) * (1 + x / 2)), 1, 1e-10) << x;
  }
  EXPECT_NEAR(chi_square_tail(124.342, 100), 0.05, 1e-5);
  EXPECT_NEAR(chi_square_tail(299.0, 300), 0.5056, 1e-3);  // about half of it lies above the mean
}

}  // namespace
}  // namespace rotor
