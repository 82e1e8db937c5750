#include "bench/sampling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"

namespace rotor {
namespace {

// A machine without time: launches advance a clock that only this test reads.
struct FakeMachine {
  double clock = 100;
  double launch_s = 1e-4;
  double noise = 0;       // every other launch takes this share longer
  double cold_start = 0;  // share by which the first launch is slower; it decays by a tenth
  bool has_device_clock = false;
  std::vector<std::uint32_t> counts;
  std::uint64_t launched = 0;

  Timing operator()(std::uint64_t first, std::uint32_t count) {
    EXPECT_EQ(first, launched);
    double each = launch_s * (counts.size() % 2 == 0 ? 1 : 1 + noise);
    each *= 1 + cold_start * std::pow(0.9, first);
    counts.push_back(count);
    launched += count;
    clock += each * count;
    Timing timing{each * count, {}};
    if (has_device_clock) timing.device_seconds = each * count / 2;
    return timing;
  }
  Measurement sample(const SamplingRules& rules = {}) {
    return take_samples(
        std::ref(*this), [this] { return clock; }, rules);
  }
};

TEST(Sampling, SteadyTimesConvergeWithTheFewestSamplesThatCanTell) {
  FakeMachine machine;
  const Measurement m = machine.sample();
  EXPECT_EQ(m.stop, StopReason::Converged);
  EXPECT_EQ(m.samples_s.size(), 6u);  // below 6 there is no 95 % interval of a median
  for (const double s : m.samples_s) EXPECT_DOUBLE_EQ(s, 1e-4);
  EXPECT_EQ(m.visits, std::vector<std::uint32_t>{6});
}

TEST(Sampling, FastKernelsAreLaunchedUntilASampleLastsLongEnough) {
  FakeMachine machine;
  machine.launch_s = 3e-6;
  EXPECT_EQ(machine.sample().launches_per_sample, 334u);  // 1 ms / 3 us, rounded up
}

TEST(Sampling, SlowKernelsAreLaunchedOnceASampleAndASubmissionStaysShort) {
  FakeMachine slow;
  slow.launch_s = 2;
  const Measurement m = slow.sample();
  EXPECT_EQ(m.launches_per_sample, 1u);
  EXPECT_EQ(m.samples_s.size(), 3u);  // the fewest, although the time is long over
  EXPECT_EQ(m.stop, StopReason::MaxTime);
  FakeMachine medium;
  medium.launch_s = 40e-3;
  SamplingRules rules;
  rules.sample_s = 1;
  EXPECT_EQ(medium.sample(rules).launches_per_sample, 2u);  // 100 ms / 40 ms
}

TEST(Sampling, NoisyTimesStopWithTheTimeOrTheNumberOfSamples) {
  FakeMachine machine;
  machine.launch_s = 1e-3;
  machine.noise = 1;
  SamplingRules rules;
  EXPECT_EQ(machine.sample(rules).stop, StopReason::MaxTime);
  FakeMachine again = {.launch_s = 1e-3, .noise = 1};
  rules.max_samples = 20;
  const Measurement m = again.sample(rules);
  EXPECT_EQ(m.stop, StopReason::MaxSamples);
  EXPECT_EQ(m.samples_s.size(), 20u);
}

TEST(Sampling, WarmsUpUntilTimesAreSteady) {
  FakeMachine machine;
  machine.cold_start = 5;
  const Measurement m = machine.sample();
  EXPECT_GT(m.warmup_launches, 20u);
  for (const double s : m.samples_s) EXPECT_LT(s, 1.1e-4);
}

TEST(Sampling, DeviceTimesComeFirstAndTheHostsAreKept) {
  FakeMachine machine;
  machine.has_device_clock = true;
  const Measurement m = machine.sample();
  ASSERT_EQ(m.host_samples_s.size(), m.samples_s.size());
  EXPECT_DOUBLE_EQ(m.samples_s[0], 0.5e-4);
  EXPECT_DOUBLE_EQ(m.host_samples_s[0], 1e-4);
}

// Slices of one case: the first warms up, each counts its least time, and what it took before others
// ran does not matter.
TEST(Sampling, SlicesGoOnWhereTheLastOneEnded) {
  FakeMachine machine;
  machine.noise = 0.3;
  Measurement m;
  std::uint64_t next = 0;
  const SliceRules rules;
  for (int slice = 0; slice < 4; ++slice) {
    add_slice(
        m, next, std::ref(machine), [&] { return machine.clock; }, rules);
    machine.clock += 1;  // the other process
  }
  EXPECT_EQ(next, machine.launched);
  EXPECT_EQ(m.visits, (std::vector<std::uint32_t>{3, 3, 3, 3}));
  EXPECT_EQ(m.samples_s.size(), 12u);
  EXPECT_GE(m.launches_per_sample * 1e-4, rules.sample_s * 0.7);
  for (const double least : least_of_slices(m)) EXPECT_DOUBLE_EQ(least, 1e-4);
  EXPECT_GT(m.offsets_s[3] - m.offsets_s[2], 1);
  EXPECT_EQ(m.warmup_launches + 12 * m.launches_per_sample, next);
}

TEST(Sampling, OffsetsAreReadingsOfTheClock) {
  FakeMachine machine;
  const Measurement m = machine.sample();
  ASSERT_EQ(m.offsets_s.size(), m.samples_s.size());
  EXPECT_GT(m.offsets_s[0], 100);
  EXPECT_TRUE(std::is_sorted(m.offsets_s.begin(), m.offsets_s.end()));
}

// A clock that goes on by `step` every `every` readings.
Clock stepping(double step, int every) {
  return [=, readings = 0]() mutable { return step * (readings++ / every); };
}

TEST(ClockCheck, TellsStepsAndWhatAReadingTakes) {
  const ClockCheck good = check_clock(stepping(32e-9, 1));
  EXPECT_TRUE(good.trusted());
  EXPECT_NEAR(good.step_s, 32e-9, 1e-12);
  EXPECT_NEAR(good.reading_s, 32e-9, 1e-12);
  EXPECT_TRUE(clock_warnings(good).empty());
  EXPECT_EQ(least_sample(good, 1e-3), 1e-3);
  const ClockCheck coarse = check_clock(stepping(1e-3, 2000));
  EXPECT_TRUE(coarse.trusted());
  EXPECT_EQ(clock_warnings(coarse).size(), 1u);
  EXPECT_NEAR(least_sample(coarse, 1e-3), 0.1, 1e-6);
  const ClockCheck slow = check_clock(stepping(2e-6, 1));
  EXPECT_EQ(clock_warnings(slow).size(), 1u);
}

TEST(ClockCheck, DistrustsWhatRunsBackwardsOrStandsStill) {
  int readings = 0;
  const ClockCheck jumps =
      check_clock([&] { return ++readings % 100 == 0 ? 0.0 : readings * 1e-8; });
  EXPECT_FALSE(jumps.trusted());
  EXPECT_EQ(jumps.backwards, 100u);
  EXPECT_FALSE(clock_warnings(jumps).empty());
  const ClockCheck dead = check_clock([] { return 1.0; });
  EXPECT_FALSE(dead.trusted());
  EXPECT_FALSE(clock_warnings(dead).empty());
}

TEST(Sampling, AClockThatStandsStillIsAnError) {
  for (const double time : {0.0, -1e-6, std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::infinity()}) {
    FakeMachine machine;
    machine.launch_s = time;
    EXPECT_THROW(machine.sample(), DeviceError) << time;
  }
}

}  // namespace
}  // namespace rotor
