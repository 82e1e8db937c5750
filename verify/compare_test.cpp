// Comparisons see the smallest visible difference, and tell where it is.

#include "verify/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "verify/cases.h"

namespace rotor {
namespace {

TEST(CompareTest, ExactSeesTheLastBitAndTheSignOfZero) {
  const std::vector<float> want{1, 2, 3, 0};
  std::vector<float> got = want;
  EXPECT_TRUE(compare_exact(want, got, 2, 2).equal());
  got[2] = std::nextafter(3.0f, 4.0f);
  Comparison found = compare_exact(want, got, 2, 2);
  EXPECT_EQ(found.mismatches, 1u);
  EXPECT_EQ(found.checked, 4u);
  EXPECT_EQ(found.first.at(0).row, 1u);
  EXPECT_EQ(found.first.at(0).col, 0u);
  got = want;
  got[3] = -0.0f;
  EXPECT_EQ(compare_exact(want, got, 2, 2).mismatches, 1u);
}

TEST(CompareTest, StrideSkipsTheGapBetweenRows) {
  const std::vector<float> want{1, 2, 3, 4};
  const std::vector<float> got{1, 2, 99, 3, 5, 99};
  const Comparison found = compare_exact(want, got, 2, 3);
  EXPECT_EQ(found.mismatches, 1u);
  EXPECT_EQ(found.first.at(0).row, 1u);
  EXPECT_EQ(found.first.at(0).col, 1u);
}

TEST(CompareTest, BoundedRefusesNanAndWhatIsBeyondTheBound) {
  const std::vector<double> want{1, 1, 1, 1};
  const std::vector<double> bound{0.5, 0.5, 0.5, 0};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Comparison found =
      compare_bounded(want, bound, 1, std::vector<float>{1.5f, nan, 1.75f, 1.0f}, 4, 4);
  EXPECT_EQ(found.mismatches, 2u);
  EXPECT_TRUE(std::isnan(found.first.at(0).got));  // worst first
  EXPECT_EQ(found.first.at(1).col, 2u);
  EXPECT_EQ(found.max_over_bound, 1.0);
}

TEST(CompareTest, QualityCountsSuspectsWithinTheBound) {
  const std::vector<double> want{0, 0};
  const std::vector<double> bound{1, 1};
  const Comparison found = compare_bounded(want, bound, 0.25, std::vector<float>{0.2f, 0.3f}, 2, 2);
  EXPECT_TRUE(found.equal());
  EXPECT_EQ(found.suspects, 1u);
}

TEST(CompareTest, KeepsTheTenWorstOfAll) {
  Comparison all;
  for (std::uint32_t part = 0; part < 3; ++part) {
    Comparison found;
    for (std::uint32_t i = 0; i < 8; ++i) found.add(part, i, 0, 8 * part + i, false);
    all.merge(found);
  }
  ASSERT_EQ(all.first.size(), kMismatchesKept);
  EXPECT_EQ(all.first.front().got, 23);
  EXPECT_EQ(all.first.back().got, 14);
  EXPECT_EQ(all.mismatches, 24u);
  EXPECT_EQ(all.max_abs, 23);
}

TEST(CompareTest, DigestSeesEveryByteAndTheLength) {
  std::vector<std::byte> bytes(19);
  const std::uint64_t zeros = digest(bytes);
  for (std::byte& b : bytes) {
    b = std::byte{1};
    EXPECT_NE(digest(bytes), zeros);
    b = std::byte{0};
  }
  bytes.push_back(std::byte{0});
  EXPECT_NE(digest(bytes), zeros);
}

// The product of the middle output without its last term: found where sums are exact, whatever the
// hard bound of that length would allow.
TEST(CompareTest, ExactFillFindsASingleLostProduct) {
  for (const std::uint32_t k : {259u, 1100u, 6912u}) {
    for (const Distribution& d : distributions(k)) {
      if (d.name != "exact_fill") continue;
      MatmulData data;
      make_weights(d, 1, 4, k, data);
      make_activations(d, 1, 1, Values::Reals, 0, data);
      const MatmulExpected expected = expect_matmul(Op::MatmulHalf, data, false, 1);
      std::vector<float> out(expected.bounded.value.begin(), expected.bounded.value.end());
      EXPECT_TRUE(compare_matmul(expected, out, 4).equal());
      for (std::size_t j = 0; j < k; ++j) {
        const float lost = data.x[j] * static_cast<float>(data.trits[j]);
        if (lost == 0) continue;
        std::vector<float> wrong = out;
        wrong[0] -= lost * data.scales[0];
        ASSERT_EQ(compare_matmul(expected, wrong, 4).mismatches, 1u) << k << " " << j;
      }
    }
  }
}

}  // namespace
}  // namespace rotor
