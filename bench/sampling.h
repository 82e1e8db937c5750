// The sampling loop: how many launches make a sample, how long to warm up, when to stop. It knows
// neither kernels nor clocks: both are handed in, so that its decisions can be tested without time.
#pragma once

#include <cstdint>
#include <functional>

#include "core/result.h"
#include "runtime/device.h"

namespace rotor {

struct SamplingRules {
  double time_s = 0.2;              // sampling ends after this, once there are enough samples
  std::uint32_t min_samples = 3;    // whatever they take
  std::uint32_t max_samples = 400;  // of one visit
  double target = 0.01;             // half width of the median's 95 % interval, as a share of it
  double sample_s = 1e-3;           // a sample lasts at least this: many launches of fast kernels
  double submit_s = 0.1;            // and no more than this: longer work looks like a hang to GPUs
};

// Runs `count` launches, the first of which has the number `first`, and waits.
using Launches = std::function<Timing(std::uint64_t first, std::uint32_t count)>;
using Clock = std::function<double()>;  // seconds, monotonic

// Warms up until two batches of launches in a row take the same time within 5 % (for a quarter of
// the time at most), then takes samples. Fills samples, offsets (the clock's readings), launch counts
// and the reason to stop. Throws DeviceError if a launch takes no time or less: the clock is broken then.
Measurement take_samples(const Launches& launches, const Clock& clock, const SamplingRules& rules);

// The clock of the process in seconds.
double steady_seconds();
// What was seen of it: its smallest step in seconds. Throws DeviceError if it runs backwards.
double steady_clock_step();

}  // namespace rotor
