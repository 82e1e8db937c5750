// The sampling loop: how many launches make a sample, how long to warm up, when to stop. It knows
// neither kernels nor clocks: both are handed in, so that its decisions can be tested without time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

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

// Samples of one case that are taken a few at a time, in turns with those of another process.
struct SliceRules {
  std::uint32_t samples =
      3;  // the least of them counts: what disturbs a launch only makes it longer
  double sample_s = 0.4e-3;  // a sample lasts at least this
  double warm_s = 0.25e-3;  // launched before them for so long: what ran in between took the caches
};

// Adds one slice to `measured`, which counts as one of its visits; the first warms up as take_samples
// does and chooses the launches of a sample. `next` is the number of the next launch. Throws as
// take_samples does.
void add_slice(Measurement& measured, std::uint64_t& next, const Launches& launches,
               const Clock& clock, const SliceRules& rules);
// The least time of every slice.
std::vector<double> least_of_slices(const Measurement& measured);

// The clock of the process in seconds.
double steady_seconds();

// What was seen of a clock.
struct ClockCheck {
  std::uint32_t readings = 0;
  std::uint32_t backwards = 0;  // readings that lay before the one before them
  double step_s = 0;            // smallest step that was seen; 0: it stands still
  double reading_s = 0;         // what one reading takes, by this clock

  bool trusted() const { return backwards == 0 && step_s > 0; }
};
ClockCheck check_clock(const Clock& clock);
// Why times of this clock deserve distrust, one line each.
std::vector<std::string> clock_warnings(const ClockCheck& check);
// A sample lasts so long at least: a hundred steps of the clock, and no less than `sample_s`.
double least_sample(const ClockCheck& check, double sample_s);

}  // namespace rotor
