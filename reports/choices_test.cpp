#include "reports/choices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/test_report.h"

namespace rotor {
namespace {

// Two steady variants, one of them chosen, at this many seconds a launch.
std::vector<CaseResult> pair_of(std::uint32_t m, double chosen_s, double other_s, double noise) {
  const auto samples = [&](double s) {
    std::vector<double> values;
    for (int i = 0; i < 20; ++i) values.push_back(s * (1 + noise * (i % 5 - 2)));
    return values;
  };
  std::vector<CaseResult> pair = {timed("matmul_chosen", m, samples(chosen_s)),
                                  timed("matmul_other", m, samples(other_s))};
  pair.front().chosen = true;
  return pair;
}

Report report_of(const std::vector<std::vector<CaseResult>>& pairs) {
  Report report = sample_report();
  report.results.clear();
  for (const auto& pair : pairs) {
    report.results.insert(report.results.end(), pair.begin(), pair.end());
  }
  return report;
}

TEST(Choices, AreGoodIfFastestOrWithinNoise) {
  const Report report = report_of({pair_of(1, 1e-4, 2e-4, 0.001),      // the fastest
                                   pair_of(5, 1.2e-4, 1e-4, 0.001),    // clearly behind
                                   pair_of(8, 1.01e-4, 1e-4, 0.05)});  // behind, but who knows
  const auto derived = derive(report);
  const std::vector<Choice> choices = choices_of(report, derived);
  ASSERT_EQ(choices.size(), 3u);
  EXPECT_EQ(choices[0].overall.fastest, choices[0].chosen);
  EXPECT_EQ(choices[0].overall.behind, 0);
  EXPECT_TRUE(choices[0].overall.within_noise);
  EXPECT_NEAR(choices[1].overall.behind, 0.2, 1e-9);
  EXPECT_FALSE(choices[1].overall.within_noise);
  EXPECT_EQ(choices[1].overall.fastest->spec.variant, "matmul_other");
  EXPECT_GT(choices[2].overall.behind, 0);
  EXPECT_TRUE(choices[2].overall.within_noise);
  const std::string text = choices_text(report, derived);
  EXPECT_THAT(text,
              testing::HasSubstr("for 2 of 3 shapes and batches; with single tokens for 1 of 1"));
  EXPECT_THAT(text, testing::HasSubstr("2560 × 2560, batch 5: 20"));
}

// Samples of one visit are alike: a neighbour that halves the speed of a whole visit is noise, too.
TEST(Choices, AreWithinNoiseWhereTheirVisitsDisagree) {
  std::vector<CaseResult> pair = pair_of(128, 2e-2, 1e-2, 0.001);
  Measurement& ours = *pair.front().measurement;
  for (std::size_t i = 15; i < 20; ++i) ours.samples_s[i] = 1e-2;
  const Report one_visit = report_of({pair});
  EXPECT_FALSE(choices_of(one_visit, derive(one_visit)).front().overall.within_noise);
  ours.visits = {15, 5};
  pair.front().measurement = ours;
  const Report two_visits = report_of({pair});
  EXPECT_TRUE(choices_of(two_visits, derive(two_visits)).front().overall.within_noise);
}

// One that is surely faster is not hidden by one that may be faster still.
TEST(Choices, AreBehindWhereAnyOtherIsSurelyFaster) {
  std::vector<CaseResult> pair = pair_of(1, 1e-4, 9e-5, 0.001);
  CaseResult noisy = pair_of(1, 1e-4, 8.9e-5, 0.2)[1];
  noisy.spec.variant = "matmul_noisy";
  CaseResult few = pair_of(1, 1e-4, 8e-5, 0.001)[1];
  few.spec.variant = "matmul_few";
  few.measurement->samples_s.resize(1);
  few.measurement->visits.clear();
  pair.insert(pair.end(), {noisy, few});
  const Report report = report_of({pair});
  const Standing standing = choices_of(report, derive(report)).front().overall;
  EXPECT_EQ(standing.fastest->spec.variant, "matmul_other");
  EXPECT_NEAR(standing.behind, 1.0 / 9, 1e-9);
  EXPECT_FALSE(standing.within_noise);
  EXPECT_TRUE(standing.is_known);
}

// With a matrix packed as it is, the runtime has no choice but among variants of that packing.
TEST(Choices, TellThePackingOfTheMatrixFromAllPackings) {
  std::vector<CaseResult> kin = pair_of(5, 1.2e-4, 1e-4, 0.001);
  kin[0].packing = kin[1].packing = "bits2";
  std::vector<CaseResult> stranger = pair_of(8, 1.3e-4, 1e-4, 0.001);
  stranger[0].packing = "bits2";
  stranger[1].packing = "int8";
  const Report report = report_of({kin, stranger});
  const auto derived = derive(report);
  const std::vector<Choice> choices = choices_of(report, derived);
  ASSERT_EQ(choices.size(), 2u);
  ASSERT_TRUE(choices[0].in_packing);
  EXPECT_NEAR(choices[0].in_packing->behind, 0.2, 1e-9);
  EXPECT_FALSE(choices[0].in_packing->within_noise);
  EXPECT_FALSE(choices[1].in_packing) << "nothing else has its packing";
  EXPECT_FALSE(choices[1].overall.within_noise);
  const std::string text = choices_text(report, derived);
  EXPECT_THAT(text,
              testing::HasSubstr("for 0 of 1 shapes and batches.\n  2560 × 2560, batch 5: 20"));
  EXPECT_THAT(text,
              testing::HasSubstr("for 0 of 2 shapes and batches.\n  2560 × 2560, batch 5: 20"));
  EXPECT_THAT(text, testing::HasSubstr("batch 8: 30% behind matmul_other (int8)"));
}

TEST(Choices, OfFewSamplesTellNothing) {
  std::vector<CaseResult> pair = pair_of(5, 1.2e-4, 1e-4, 0.001);
  for (CaseResult& result : pair) {
    result.measurement->samples_s.resize(3);
    result.measurement->visits = {};
  }
  const Report report = report_of({pair, pair_of(8, 1e-4, 2e-4, 0.001)});
  const auto derived = derive(report);
  const std::vector<Choice> choices = choices_of(report, derived);
  ASSERT_EQ(choices.size(), 2u);
  EXPECT_FALSE(choices[0].overall.is_known);
  const std::string text = choices_text(report, derived);
  EXPECT_THAT(text, testing::HasSubstr("1 of 1 shapes and batches; too few samples for 1 more"));
  EXPECT_THAT(text,
              testing::HasSubstr("behind matmul_other (bits2x16), as far as few samples tell"));
}

// Older reports do not name packings.
TEST(Choices, WithoutPackingsAreOnlyHeldAgainstAll) {
  Report report = report_of({pair_of(5, 1e-4, 2e-4, 0.001)});
  for (CaseResult& result : report.results) result.packing.clear();
  const auto derived = derive(report);
  EXPECT_FALSE(choices_of(report, derived).front().in_packing);
  EXPECT_THAT(choices_text(report, derived), testing::Not(testing::HasSubstr("of its packing")));
}

TEST(Choices, OthersThatWereNotMeasuredOrAreOfAnotherKindDoNotCount) {
  std::vector<CaseResult> pair = pair_of(1, 1e-4, 0.5e-4, 0.001);
  pair[1].spec.op = "matmul_dense";
  const Report another_op = report_of({pair});
  EXPECT_TRUE(choices_of(another_op, derive(another_op)).empty());
  pair = pair_of(1, 1e-4, 0.5e-4, 0.001);
  pair[1] = failed("matmul_other", 1);
  const Report wrong = report_of({pair});
  EXPECT_TRUE(choices_of(wrong, derive(wrong)).empty());
  EXPECT_EQ(choices_text(wrong, derive(wrong)), "");
}

}  // namespace
}  // namespace rotor
