#include "bench/sampling.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/error.h"
#include "core/stats.h"
#include "reports/text.h"

namespace rotor {
namespace {

// Two batches of launches that differ by less are the same speed.
constexpr double kStationary = 0.05;
// Batches of a warm-up, however short they are.
constexpr int kMaxWarmupBatches = 50;

class Sampling {
 public:
  Sampling(Measurement& measured, std::uint64_t& next, const Launches& launches, const Clock& clock,
           const SamplingRules& rules)
      : measured_(measured),
        next_(next),
        launches_(launches),
        clock_(clock),
        rules_(rules),
        start_(clock()) {}

  void run() {
    warm_up();
    const double begin = clock_();
    do {
      take_one();
    } while (!finished(clock_() - begin));
    measured_.visits = {static_cast<std::uint32_t>(measured_.samples_s.size())};
  }

  void slice(const SliceRules& rules) {
    if (measured_.visits.empty()) {
      warm_up();
    } else {
      const std::uint64_t first = next_;
      do {
        launch(1);
      } while (clock_() - start_ < rules.warm_s);
      measured_.warmup_launches += static_cast<std::uint32_t>(next_ - first);
    }
    for (std::uint32_t i = 0; i < rules.samples; ++i) take_one();
    measured_.visits.push_back(rules.samples);
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
      if (clock_() - start_ > rules_.time_s / 4) break;
      const double now = seconds_each(measured_.launches_per_sample);
      choose_batch(now);
      if (std::fabs(now - before) < kStationary * before) break;
      before = now;
    }
    measured_.warmup_launches = static_cast<std::uint32_t>(next_);
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

  Measurement& measured_;
  std::uint64_t& next_;  // number of the next launch
  const Launches& launches_;
  const Clock& clock_;
  const SamplingRules& rules_;
  double start_;
};

}  // namespace

Measurement take_samples(const Launches& launches, const Clock& clock, const SamplingRules& rules) {
  Measurement measured;
  std::uint64_t next = 0;
  Sampling(measured, next, launches, clock, rules).run();
  return measured;
}

void add_slice(Measurement& measured, std::uint64_t& next, const Launches& launches,
               const Clock& clock, const SliceRules& rules) {
  SamplingRules warm;
  warm.sample_s = rules.sample_s;
  warm.time_s = 40e-3;  // a quarter of it at most: the other side waits
  Sampling(measured, next, launches, clock, warm).slice(rules);
}

std::vector<double> least_of_slices(const Measurement& measured) {
  std::vector<double> least;
  auto sample = measured.samples_s.begin();
  for (const std::uint32_t count : measured.visits) {
    least.push_back(*std::min_element(sample, sample + count));
    sample += count;
  }
  return least;
}

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ClockCheck check_clock(const Clock& clock) {
  constexpr std::uint32_t kReadings = 10000;
  ClockCheck check;
  check.readings = kReadings;
  const double first = clock();
  double last = first;
  for (std::uint32_t i = 0; i < kReadings; ++i) {
    const double now = clock();
    check.backwards += now < last;
    if (now > last && (check.step_s == 0 || now - last < check.step_s)) check.step_s = now - last;
    last = now;
  }
  check.reading_s = (last - first) / kReadings;
  return check;
}

std::vector<std::string> clock_warnings(const ClockCheck& check) {
  // Of the millisecond that a sample lasts at least, 1 and 0.1 %.
  constexpr double kCoarse = 10e-6;
  constexpr double kSlow = 1e-6;
  std::vector<std::string> warnings;
  if (check.backwards > 0) {
    warnings.push_back("the clock ran backwards " + std::to_string(check.backwards) + " times in " +
                       std::to_string(check.readings) + " readings: no time here can be trusted");
  } else if (check.step_s == 0) {
    warnings.push_back("the clock stands still: no time here can be trusted");
  } else if (check.step_s > kCoarse) {
    warnings.push_back("the clock has steps of " + show_seconds(check.step_s) +
                       ": samples are made longer");
  }
  if (check.reading_s > kSlow) {
    warnings.push_back("reading the clock takes " + show_seconds(check.reading_s) +
                       ": the system's clock source is a slow one");
  }
  return warnings;
}

double least_sample(const ClockCheck& check, double sample_s) {
  return std::max(sample_s, 100 * check.step_s);
}

}  // namespace rotor
