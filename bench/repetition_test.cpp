#include "bench/repetition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.h"

namespace rotor {
namespace {

using Ids = std::vector<std::uint32_t>;

TEST(Repetition, CountsDistinctRuns) {
  const Ids ids = {1, 2, 1, 2, 3};
  EXPECT_DOUBLE_EQ(distinct_ngrams(ids, 1), 3.0 / 5);
  EXPECT_DOUBLE_EQ(distinct_ngrams(ids, 2), 3.0 / 4);  // 12 21 12 23
  EXPECT_DOUBLE_EQ(distinct_ngrams(ids, 3), 1);
  EXPECT_DOUBLE_EQ(distinct_ngrams(Ids(9, 4), 2), 1.0 / 8);
  EXPECT_TRUE(std::isnan(distinct_ngrams(ids, 6)));
}

TEST(Repetition, FindsTheLongestRepeat) {
  EXPECT_EQ(longest_repeat({}), 0u);
  EXPECT_EQ(longest_repeat(Ids{1, 2, 3}), 0u);
  EXPECT_EQ(longest_repeat(Ids{1, 2, 3, 1}), 1u);
  EXPECT_EQ(longest_repeat(Ids{5, 1, 2, 3, 9, 1, 2, 3, 1, 2}), 3u);
  EXPECT_EQ(longest_repeat(Ids(9, 4)), 8u);
  EXPECT_EQ(longest_repeat(Ids{1, 2, 1, 2, 1}), 3u);  // a loop overlaps itself
}

// Against trying every pair of places.
TEST(Repetition, AgreesWithTryingEverything) {
  Random random(4);
  for (int round = 0; round < 200; ++round) {
    Ids ids(random.below(30));
    for (auto& id : ids) id = random.below(3);
    std::uint32_t want = 0;
    for (std::size_t a = 0; a < ids.size(); ++a) {
      for (std::size_t b = a + 1; b < ids.size(); ++b) {
        std::uint32_t length = 0;
        while (b + length < ids.size() && ids[a + length] == ids[b + length]) ++length;
        want = std::max(want, length);
      }
    }
    ASSERT_EQ(longest_repeat(ids), want) << round;
  }
}

}  // namespace
}  // namespace rotor
