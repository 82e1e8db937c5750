#include "bench/roofline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "bench/arithmetic.h"
#include "core/error.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

TEST(RoofMeter, TheCpuHasEveryKindOfLimit) {
  const std::unique_ptr<Device> cpu = open_cpu({.threads = 2});
  RoofMeter meter(*cpu);
  const std::vector<Roof> roofs = meter.measure_all("start");
  const auto count = [&](const char* kind, std::optional<unsigned> threads) {
    return std::count_if(roofs.begin(), roofs.end(),
                         [&](const Roof& r) { return r.kind == kind && r.threads == threads; });
  };
  EXPECT_GE(count("read_bw", {}), 5);
  EXPECT_EQ(count("read_bw", 1), count("read_bw", {}));
  EXPECT_EQ(count("fp32_fma", {}), 1);
  EXPECT_EQ(count("launch_latency", {}), 1);
  for (const Roof& roof : roofs) {
    EXPECT_EQ(roof.device, "cpu:0");
    EXPECT_EQ(roof.at, "start");
    EXPECT_GT(roof.median, 0) << roof.kind;
    EXPECT_GE(roof.samples.size(), 5u) << roof.kind;
  }
  for (const Roof& roof : meter.measure_controls("end")) EXPECT_EQ(roof.at, "end");
}

// The first of each backend: software drivers in tests.
TEST(RoofMeter, EveryGpuHasTheArithmeticOfItsUnits) {
  bool any = false;
  for (const char* backend : {"vulkan", "opencl"}) {
    std::unique_ptr<Device> gpu;
    try {
      gpu = open_device(backend, {});
    } catch (const UnsupportedError& error) {
      std::printf("no device here: %s\n", error.what());
      continue;
    }
    any = true;
    const std::vector<Roof> roofs = measure_arithmetic(*gpu, "start");
    const Features features = gpu->info().features;
    const std::pair<const char*, Features> units[] = {{"int32_mad", feature::Baseline},
                                                      {"fp32_fma", feature::Baseline},
                                                      {"fp16_fma", feature::Half},
                                                      {"int8_dot", feature::IntegerDot}};
    for (const auto& [kind, needs] : units) {
      const auto count =
          std::count_if(roofs.begin(), roofs.end(), [&](const Roof& r) { return r.kind == kind; });
      EXPECT_EQ(count, (features & needs) == needs) << backend << ' ' << kind;
    }
    for (const Roof& roof : roofs) EXPECT_GT(roof.median, 0) << backend << ' ' << roof.kind;
  }
  if (!any) GTEST_SKIP() << "no GPU device here, not even a software one";
}

Roof control(const char* kind, double median, std::optional<std::uint64_t> bytes = {}) {
  return {"cpu:0", kind, bytes, "middle", median, bytes ? "bytes/s" : "ops/s", {}, {}};
}

TEST(RoofMeter, DriftIsTheWorstFallOfAControl) {
  const std::vector<Roof> roofs = {
      control("read_bw", 100, 1 << 20), control("read_bw", 20, 1 << 30), control("int8_dot", 50),
      control("read_bw", 19, 1 << 30),  control("int8_dot", 40),         control("int8_dot", 44)};
  EXPECT_DOUBLE_EQ(roof_drift(roofs, "cpu:0"), 1 - 44.0 / 50);
  EXPECT_DOUBLE_EQ(roof_drift(roofs, "vulkan:0"), 0);
}

}  // namespace
}  // namespace rotor
