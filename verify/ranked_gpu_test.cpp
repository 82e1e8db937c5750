// Logits that are ranked on a GPU against all of them; software drivers will do.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "core/error.h"
#include "model/transformer.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

constexpr std::uint32_t kPrompt[] = {1, 500, 1002, 7, 7, 300, 42};

class RankedOnGpu : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    try {
      device_ = open_device(GetParam(), {});
    } catch (const UnsupportedError& error) {
      GTEST_SKIP() << error.what();
    }
  }

  std::unique_ptr<Device> device_;
};

TEST_P(RankedOnGpu, TheLargestLogitsAreThoseOfTheWholeHead) {
  const auto model = open_checkpoint("synthetic:odd/1");
  KernelSet kernels(*device_);
  Transformer transformer(kernels, *model, {});
  KvCache cache(*device_, model->config(), Packing::F32, 16);
  const auto logits = [&](std::size_t tokens, std::uint32_t top) {
    const std::uint32_t before = cache.length();
    const auto found = transformer.forward(std::span(kPrompt).first(tokens), cache, top);
    std::vector<float> copy(found.begin(), found.end());
    cache.truncate(before);
    return copy;
  };
  for (const std::size_t tokens : {1u, 7u}) {  // as decoding does, and as a prompt
    const std::vector<float> want = logits(tokens, 0);
    std::vector<float> sorted = want;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (const std::uint32_t top : {1u, 5u, 63u, 64u}) {
      const std::vector<float> got = logits(tokens, top);
      const float last = sorted[top - 1];
      std::size_t here = 0;
      for (std::size_t id = 0; id < want.size(); ++id) {
        if (got[id] != -std::numeric_limits<float>::infinity()) ++here;
        if (want[id] >= last) {
          EXPECT_EQ(got[id], want[id]) << id;
        }
      }
      EXPECT_TRUE(here == top || here == want.size()) << here;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, RankedOnGpu, testing::Values("opencl", "vulkan"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace rotor
