#include "kernels/roof.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "kernels/host_features.h"

namespace rotor {
namespace {

struct alignas(64) Block {
  std::byte bytes[4 * kRoofBlock] = {};
};

std::vector<Features> levels() {
  std::vector<Features> all = {feature::Baseline, host_features()};
  for (const RoofLevel& level : roof_levels()) all.push_back(level.needs & host_features());
  return all;
}

// A loop that skips a byte would measure more bandwidth than there is.
TEST(Roof, ReadersReadEveryByte) {
  for (const Features features : levels()) {
    const RoofRead read = roof_kernels(features).read;
    const auto block = std::make_unique<Block>();
    const std::uint64_t none = read(block->bytes, sizeof block->bytes);
    for (std::byte& b : block->bytes) {
      b = std::byte{1};
      ASSERT_NE(read(block->bytes, sizeof block->bytes), none)
          << feature_list(features) << " byte " << &b - block->bytes;
      b = std::byte{0};
    }
  }
}

TEST(Roof, EveryLevelHasItsArithmeticOnce) {
  for (const Features features : levels()) {
    std::vector<std::string_view> kinds;
    for (const RoofArithmetic& a : roof_kernels(features).arithmetic) {
      kinds.push_back(a.kind);
      EXPECT_GT(a.ops, 0);
      a.run(100);  // on a level that the CPU lacks this would be the end
    }
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "fp32_fma"), 1);
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), "int32_mad"), 1);
    EXPECT_LE(std::count(kinds.begin(), kinds.end(), "int8_dot"), 1);
  }
}

}  // namespace
}  // namespace rotor
