#include "bench/sampler_check.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"

namespace rotor {
namespace {

TEST(SamplerCheck, AGoodSamplerPassesEveryFilter) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const std::vector<SamplerCheck> checks = check_sampler(seed);
    ASSERT_EQ(checks.size(), 9u);
    for (const SamplerCheck& check : checks) {
      EXPECT_EQ(check.status, Status::Pass) << check.filter << ": " << check.message;
      EXPECT_EQ(check.freedom == 0, check.filter == "greedy") << check.filter;
    }
  }
}

// The sampler's own idea of its distribution, which its unit tests hold against hand-made ones.
// Weights are floats: 1e-5 relative is some eighty roundings.
TEST(SamplerCheck, TheExactDistributionIsThatOfTheSampler) {
  Random random(3);
  std::vector<float> logits(300);
  for (float& x : logits) x = static_cast<float>(random.uniform() * 12 - 6);
  const std::vector<std::uint32_t> history = {7, 8, 9, 7, 8, 4, 7, 8};
  for (const SamplingOptions& options :
       {SamplingOptions{}, SamplingOptions{.temperature = 0.7f, .top_k = 40},
        SamplingOptions{.top_p = 0.7f}, SamplingOptions{.min_p = 0.1f},
        SamplingOptions{.repetition_penalty = 1.4f, .no_repeat_ngram = 3},
        SamplingOptions{.temperature = 0, .repetition_penalty = 3, .bos = 7}}) {
    const std::vector<double> exact = exact_distribution(options, logits, history);
    double mass = 0;
    for (const Candidate& c : Sampler(options).distribution(logits, history)) {
      EXPECT_NEAR(c.probability / exact[c.id], 1, 1e-5) << c.id;
      mass += exact[c.id];
    }
    EXPECT_NEAR(mass, 1, 1e-9);  // and nothing else has any
  }
}

TEST(TestFit, WorksOutPearsonsStatistic) {
  // 0.5, 0.3, 0.2 of 100: 25 / 50 + 0 / 30 + 25 / 20.
  const Fit fit =
      test_fit(std::vector<std::uint64_t>{55, 30, 15}, std::vector<double>{0.5, 0.3, 0.2});
  EXPECT_DOUBLE_EQ(fit.chi_square, 0.5 + 1.25);
  EXPECT_EQ(fit.freedom, 2u);
  EXPECT_NEAR(fit.p_value, std::exp(-1.75 / 2), 1e-12);  // two degrees: exp(-x / 2)
}

TEST(TestFit, RareOutcomesShareAClass) {
  // 2 + 2 + 2 expected draws make one class; the last 2 join it.
  const Fit fit = test_fit(std::vector<std::uint64_t>{92, 2, 2, 2, 2},
                           std::vector<double>{0.92, 0.02, 0.02, 0.02, 0.02});
  EXPECT_EQ(fit.freedom, 1u);
  EXPECT_NEAR(fit.chi_square, 0, 1e-12);
}

TEST(TestFit, FindsWhatIsWrong) {
  // 1 % moved from one of two equals to the other, in 200,000 draws.
  EXPECT_LT(
      test_fit(std::vector<std::uint64_t>{101000, 99000}, std::vector<double>{0.5, 0.5}).p_value,
      1e-5);
  const Fit outside = test_fit(std::vector<std::uint64_t>{999, 1}, std::vector<double>{1, 0});
  EXPECT_EQ(outside.impossible, 1u);
}

}  // namespace
}  // namespace rotor
