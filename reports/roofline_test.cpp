#include "reports/roofline.h"

#include <gtest/gtest.h>

#include "reports/report.h"
#include "reports/test_report.h"

namespace rotor {
namespace {

Roof roof(const std::string& kind, double median, const std::string& unit,
          std::optional<std::uint64_t> footprint = {}) {
  return {"cpu:0", kind, footprint, "start", median, unit, {}, {}};
}

TEST(Roofline, BandwidthIsInterpolatedInTheLogarithmOfTheFootprint) {
  const std::vector<Roof> roofs = {roof("read_bw", 100, "bytes/s", 1024),
                                   roof("read_bw", 20, "bytes/s", 4096),
                                   roof("read_bw", 18, "bytes/s", 4096)};  // the best counts
  EXPECT_DOUBLE_EQ(*bandwidth_at(roofs, "cpu:0", 10), 100);
  EXPECT_DOUBLE_EQ(*bandwidth_at(roofs, "cpu:0", 2048), 60);
  EXPECT_DOUBLE_EQ(*bandwidth_at(roofs, "cpu:0", 4096), 20);
  EXPECT_DOUBLE_EQ(*bandwidth_at(roofs, "cpu:0", 1e9), 20);
  EXPECT_FALSE(bandwidth_at(roofs, "vulkan:0", 1e9));
}

// By hand: 1,638,400 bytes and 13,107,200 operations.
TEST(Roofline, TheLargestPartIsTheLimiter) {
  const CaseResult result = timed("matmul_fast", 1, {1e-3});
  struct Row {
    double bandwidth, rate, launch_ns;
    Limiter limiter;
    double seconds;
  };
  for (const Row& row : {Row{1.6384e9, 1e15, 0, Limiter::Memory, 1e-3},
                         Row{1.6384e15, 1.31072e9, 0, Limiter::Compute, 1e-2},
                         Row{1.6384e9, 1e15, 1e5, Limiter::Memory, 1.1e-3},
                         Row{1.6384e15, 1e15, 5e5, Limiter::Launch, 5e-4}}) {
    const auto limit =
        limit_of({roof("read_bw", row.bandwidth, "bytes/s", 1u << 28),
                  roof("int8_dot", row.rate, "ops/s"), roof("launch_latency", row.launch_ns, "ns")},
                 result);
    ASSERT_TRUE(limit);
    EXPECT_EQ(limit->limiter, row.limiter);
    EXPECT_NEAR(limit->seconds, row.seconds, 1e-4 * row.seconds);
  }
}

// Arithmetic is all that limits here, so the limit tells the rate.
TEST(Roofline, TheRateIsThatOfTheUnitThatTheKernelUses) {
  constexpr double kOps = 13107200;
  const std::vector<Roof> roofs = {
      roof("read_bw", 1e18, "bytes/s", 1024), roof("int32_mad", 1e9, "ops/s"),
      roof("fp32_fma", 2e9, "ops/s"),         roof("fp16_fma", 4e9, "ops/s"),
      roof("int8_dot", 8e9, "ops/s"),         roof("int8_matrix", 64e9, "ops/s")};
  struct Row {
    const char* op;
    const char* backend;
    const char* variant;
    double rate;
  };
  for (const Row& row : {Row{"matmul", "cpu", "matmul_bitpacked_avx2", 8e9},
                         Row{"matmul", "vulkan", "matmul_bitpacked_coop@64x32", 64e9},
                         Row{"matmul", "vulkan", "matmul_bitpacked_dot_tiled@64x32", 8e9},
                         Row{"matmul", "opencl", "matmul_bitpacked_dot@8x1", 8e9},
                         Row{"matmul", "vulkan", "matmul_bitpacked_subgroup@16x1", 2e9},
                         Row{"matmul", "vulkan", "matmul_int8@16x1", 2e9},
                         Row{"layers", "vulkan", "layers_f16@1x1", 8e9},
                         Row{"products", "opencl", "products@1x1", 8e9},
                         Row{"matmul_half", "vulkan", "matmul_half@16x1", 4e9},
                         Row{"matmul_dense", "cpu", "matmul_dense_eigen", 2e9}}) {
    CaseResult result = timed("matmul_fast", 1, {1e-3});
    result.spec.op = row.op;
    result.spec.backend = row.backend;
    result.spec.variant = row.variant;
    const auto limit = limit_of(roofs, result);
    ASSERT_TRUE(limit) << row.variant;
    EXPECT_NEAR(limit->seconds, kOps / row.rate, 1e-6 * limit->seconds) << row.variant;
    EXPECT_EQ(limit->limiter, Limiter::Compute) << row.variant;
  }
  CaseResult coop = timed("matmul_fast", 1, {1e-3});
  coop.spec.backend = "vulkan";
  coop.spec.variant = "matmul_bitpacked_coop@64x32";
  EXPECT_FALSE(limit_of({roofs.begin(), roofs.end() - 1}, coop)) << "no rate, no limit";
}

TEST(Roofline, LimitsOfOneThreadAreNotThoseOfTheDevice) {
  Roof one = roof("read_bw", 1e9, "bytes/s", 1024);
  one.threads = 1;
  EXPECT_FALSE(bandwidth_at({one}, "cpu:0", 1024));
  EXPECT_FALSE(limit_of({roof("read_bw", 1e9, "bytes/s", 1024)}, timed("matmul_fast", 1, {1e-3})));
}

// By hand: 3 MB at 1 GB/s; 64 tokens of 500,000 multiply-adds at 0.32 GOP/s.
TEST(Roofline, AModelIsHeldAgainstReadingAndMultiplying) {
  KvTiming timing;
  timing.device = "cpu:0";
  timing.position = 63;
  timing.prompt_variant = "cpu/matmul_fast";
  const std::vector<Roof> roofs = {roof("read_bw", 1e9, "bytes/s", 1u << 28),
                                   roof("int8_dot", 0.32e9, "ops/s"),
                                   roof("launch_latency", 1e5, "ns")};
  EXPECT_FALSE(token_limits(roofs, timing).token)
      << "an old report does not say what a token takes";
  timing.token_bytes = 3'000'000;
  timing.token_macs = 500'000;
  const TokenLimits limits = token_limits(roofs, timing);
  ASSERT_TRUE(limits.token && limits.prompt);
  EXPECT_NEAR(limits.token->seconds, 3.1e-3, 1e-9);
  EXPECT_EQ(limits.token->limiter, Limiter::Memory);
  EXPECT_NEAR(limits.prompt->seconds, 0.2001, 1e-9);
  EXPECT_EQ(limits.prompt->limiter, Limiter::Compute);
  EXPECT_FALSE(token_limits({}, timing).token);
}

TEST(Roofline, FasterThanTheDeviceCanBeIsAnAlarm) {
  Report report = sample_report();  // matmul_fast takes 100 us
  report.roofs = {roof("read_bw", 1e12, "bytes/s", 1024),
                  roof("int8_dot", 13.1072e6 / 95e-6, "ops/s")};
  EXPECT_NEAR(*derive(report)[0]->share, 0.95, 0.03);
  EXPECT_FALSE(derive(report)[0]->above_roof);
  report.roofs[1].median = 13.1072e6 / 150e-6;
  EXPECT_TRUE(derive(report)[0]->above_roof);
}

}  // namespace
}  // namespace rotor
