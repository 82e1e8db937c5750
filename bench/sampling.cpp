#include "bench/sampling.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"
#include "core/stats.h"

namespace rotor {
namespace {

// Two batches of launches that differ by less are the same speed.
constexpr double kStationary = 0.05;
// Batches of a warm-up, however short they are.
constexpr int kMaxWarmupBatches = 50;

class Sampling {
 public:
  Sampling(const Launches& launches, const Clock& clock, const SamplingRules& rules)
      : launches_(launches), clock_(clock), rules_(rules), start_(clock()) {}

  Measurement run() {
    warm_up();
    const double begin = clock_();
    measured_.warmup_launches = static_cast<std::uint32_t>(next_);
    do {
      take_one();
    } while (!finished(clock_() - begin));
    measured_.visits = {static_cast<std::uint32_t>(measured_.samples_s.size())};
    return measured_;
  }

 private:
  Timing launch(std::uint32_t count) {
    const Timing timing = launches_(next_, count);
    next_ += count;
    const double seconds = timing.device_seconds.value_or(timing.host_seconds);
    if (!(seconds > 0) || !std::isfinite(seconds)) {
      throw DeviceError("a launch took " + std::to_string(seconds) +
                        " s: the clock of the device cannot be trusted");
    }
    return timing;
  }

  double seconds_each(std::uint32_t count) {
    const Timing timing = launch(count);
    return timing.device_seconds.value_or(timing.host_seconds) / count;
  }

  // The first launch compiles, faults pages in and wakes the cores; the second tells how many make
  // a sample.
  void warm_up() {
    seconds_each(1);
    double before = seconds_each(1);
    choose_batch(before);
    for (int batch = 0; batch < kMaxWarmupBatches; ++batch) {
      if (clock_() - start_ > rules_.time_s / 4) return;
      const double now = seconds_each(measured_.launches_per_sample);
      choose_batch(now);
      if (std::fabs(now - before) < kStationary * before) return;
      before = now;
    }
  }

  void choose_batch(double launch_s) {
    const double most = std::max(1.0, std::floor(rules_.submit_s / launch_s));
    measured_.launches_per_sample = static_cast<std::uint32_t>(
        std::clamp(std::ceil(rules_.sample_s / launch_s), 1.0, std::min(most, 1e6)));
  }

  void take_one() {
    const double offset = clock_();
    const std::uint32_t count = measured_.launches_per_sample;
    const Timing timing = launch(count);
    measured_.offsets_s.push_back(offset);
    if (timing.device_seconds) {
      measured_.samples_s.push_back(*timing.device_seconds / count);
      measured_.host_samples_s.push_back(timing.host_seconds / count);
    } else {
      measured_.samples_s.push_back(timing.host_seconds / count);
    }
  }

  bool finished(double elapsed) {
    const std::size_t n = measured_.samples_s.size();
    if (n < rules_.min_samples) return false;
    if (median_uncertainty(measured_.samples_s, 0.95) <= rules_.target) {
      measured_.stop = StopReason::Converged;
    } else if (n >= rules_.max_samples) {
      measured_.stop = StopReason::MaxSamples;
    } else if (elapsed >= rules_.time_s) {
      measured_.stop = StopReason::MaxTime;
    } else {
      return false;
    }
    return true;
  }

  const Launches& launches_;
  const Clock& clock_;
  const SamplingRules& rules_;
  double start_;
  std::uint64_t next_ = 0;  // number of the next launch
  Measurement measured_;
};

}  // namespace

Measurement take_samples(const Launches& launches, const Clock& clock, const SamplingRules& rules) {
  return Sampling(launches, clock, rules).run();
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double steady_clock_step() {
  double smallest = 1;
  double last = steady_seconds();
  for (int reads = 0; reads < 10000; ++reads) {
    const double now = steady_seconds();
    if (now < last) throw DeviceError("the monotonic clock ran backwards");
    if (now > last) smallest = std::min(smallest, now - last);
    last = now;
  }
  return smallest;
}

}  // namespace rotor
