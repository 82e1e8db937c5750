// The KV cache on GPUs, and one that moves from a GPU to the CPU; software drivers will do.

#include <gtest/gtest.h>

#include "core/error.h"
#include "runtime/devices.h"
#include "verify/kv_ab.h"

namespace rotor {
namespace {

constexpr std::uint64_t kSeed = 11;
constexpr std::uint32_t kPositions =
    72;  // a block of every kernel and some: software drivers are slow

class KvGpu : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    try {
      gpu_ = open_device(GetParam(), {});
    } catch (const UnsupportedError& error) {
      GTEST_SKIP() << error.what();
    }
  }

  std::unique_ptr<Device> gpu_;
};

// Rows for single tokens and for batches may be different, and are then not the same bits.
void expect_equal(const std::vector<KvResult>& results) {
  EXPECT_FALSE(results.empty());
  for (const KvResult& r : results) {
    const bool skipped = r.status == Status::Skipped && r.reason_code == "schedule_varies";
    EXPECT_TRUE(r.status == Status::Pass || skipped) << r.id << ": " << r.message;
  }
}

TEST_P(KvGpu, WithCacheIsWithout) {
  expect_equal(run_kv_ab(*gpu_, *random_untied_model(kSeed),
                         {.model = "random", .seed = kSeed, .positions = kPositions}));
}

TEST_P(KvGpu, TheCpuGoesOnFromItsCache) {
  const auto cpu = open_cpu({});
  const std::vector<KvResult> results =
      run_kv_across(*gpu_, *cpu, *random_untied_model(kSeed),
                    {.model = "random", .seed = kSeed, .positions = kPositions});
  expect_equal(results);
  EXPECT_EQ(results.front().id, "kv/end_to_end/prefill16_on_" + GetParam() + "/random");
  EXPECT_EQ(results.front().device, "cpu:0");
}

INSTANTIATE_TEST_SUITE_P(Backends, KvGpu, testing::Values("opencl", "vulkan"),
                         [](const auto& test) { return test.param; });

TEST(KvAcross, OtherKernelsGoOnFromTheCache) {
  const auto plain = open_cpu({.threads = 1, .feature_mask = feature::Baseline});
  const auto best = open_cpu({.threads = 1});
  expect_equal(run_kv_across(*plain, *best, *random_untied_model(kSeed),
                             {.model = "random", .seed = kSeed, .positions = kPositions}));
}

TEST(KvAcross, RefusesRowsOfAnotherFormatAndTooManyPositions) {
  const auto cpu = open_cpu({.threads = 1});
  const auto model = random_untied_model(kSeed);
  KvCache from(*cpu, model->config(), Packing::F32, 8);
  from.append(8);
  KvCache other(*cpu, model->config(), Packing::F16, 8);
  KvCache smaller(*cpu, model->config(), Packing::F32, 7);
  EXPECT_THROW(other.copy_from(from), UsageError);
  EXPECT_THROW(smaller.copy_from(from), UsageError);
  EXPECT_EQ(smaller.length(), 0u);
}

}  // namespace
}  // namespace rotor
