#include "model/ranked_logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/random.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The search on the CPU, whose row obeys the same contract as those of GPUs.
class RankedLogitsTest : public testing::Test {
 protected:
  // What the search gives in place of `logits`, or nothing.
  std::vector<float> search(const std::vector<float>& logits, std::uint32_t top) {
    const auto buffer = device_->allocate(logits.size() * sizeof(float));
    device_->write(*buffer, std::as_bytes(std::span(logits)));
    RankedLogits ranked(kernels_, static_cast<std::uint32_t>(logits.size()));
    EXPECT_TRUE(ranked.serves(top));
    ranked.dispatch(*buffer, top);
    device_->finish();
    const auto best = ranked.read(top);
    if (best.empty()) return {};
    std::vector<float> found(logits.size(), -kInfinity);
    for (const RankedLogit& logit : best) found[logit.id] = logit.value;
    return found;
  }

  std::unique_ptr<Device> device_ = open_cpu({.threads = 2});
  KernelSet kernels_{*device_};
};

TEST_F(RankedLogitsTest, KeepsTheLargestAndNothingElse) {
  Random random(5);
  for (const std::size_t vocab : {2u, 300u, 2035u, 50000u}) {
    std::vector<float> logits(vocab);
    for (float& v : logits) v = static_cast<float>(random.uniform()) - 0.5f;
    std::vector<float> sorted = logits;
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    for (const std::uint32_t top : {1u, 2u, 40u, 63u}) {
      std::vector<float> want = logits;
      const float last = sorted[std::min<std::size_t>(top, vocab) - 1];
      std::replace_if(
          want.begin(), want.end(), [&](float v) { return v < last; }, -kInfinity);
      EXPECT_EQ(search(logits, top), want) << vocab << " " << top;
    }
  }
}

TEST_F(RankedLogitsTest, DoesNotDecideBetweenEquals) {
  std::vector<float> logits(1000, -1);
  logits[10] = logits[900] = 3;
  EXPECT_TRUE(search(logits, 1).empty());
  EXPECT_FALSE(search(logits, 2).empty());
  EXPECT_TRUE(search(logits, 3).empty());
}

TEST_F(RankedLogitsTest, NanIsNotHidden) {
  std::vector<float> logits(1000, -1);
  logits[10] = 3;
  logits[700] = std::nanf("");
  const std::vector<float> found = search(logits, 2);
  // The NaN is there, or all logits are asked for.
  EXPECT_TRUE(found.empty() || std::isnan(found[700]));
  EXPECT_TRUE(search(logits, 1).empty()) << "a number is not below a NaN";
}

TEST_F(RankedLogitsTest, FindsNothingInWhatNoKernelWrote) {
  for (KernelVariant row : variants()) {
    if (row.op != Op::TopK || row.backend != Backend::Cpu) continue;
    row.cpu = [](const CpuCall& call) noexcept { call.buffer<RankedLogit>(1)[0] = {1u << 30, 1}; };
    kernels_.replace(row);
  }
  EXPECT_TRUE(search(std::vector<float>(100, -1), 1).empty());
}

TEST_F(RankedLogitsTest, LeavesLongListsToOthers) {
  const RankedLogits ranked(kernels_, 1000);
  EXPECT_FALSE(ranked.serves(0));
  EXPECT_FALSE(ranked.serves(64));
}

}  // namespace
}  // namespace rotor
