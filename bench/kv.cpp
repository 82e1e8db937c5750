#include "bench/kv.h"

#include <algorithm>
#include <memory>

#include "bench/sampling.h"
#include "bench/waker.h"
#include "core/stats.h"
#include "runtime/devices.h"
#include "verify/faults.h"
#include "verify/kv_ab.h"

namespace rotor {
namespace {

// Tokens before the one that is timed: the last position of a doubling context.
constexpr std::uint32_t kPositions[] = {15, 63, 127, 255, 511, 1023, 2047};

// Ternary weights above which an A/B of hundreds of passes would take a run's whole time.
constexpr std::uint64_t kMostWeights = 50'000'000;

// Runs `work`; what ends it early becomes a result.
void guarded(Device& device, const KvSuite& suite, const std::function<void()>& work) {
  const std::optional<Fault> fault = run_if_sound(device, work);
  if (!fault) return;
  KvResult result;
  result.id = "kv/lockstep/all/" + suite.model;
  result.device = device.info().id;
  result.mode = "lockstep";
  result.variant = "all";
  result.status = fault->status;
  result.reason_code = fault->reason_code;
  result.message = fault->message;
  suite.on_result(result);
}

// Seconds per token: all samples of the host's clock, and the median of the device's.
struct TokenSamples {
  std::vector<double> host_s;
  std::optional<double> device_s;
};

TokenSamples sample_tokens(const KvTimingTrial& trial, const std::function<void()>& token) {
  std::vector<double> device_s;
  const auto launches = [&](std::uint64_t, std::uint32_t count) {
    const double start = steady_seconds();
    for (std::uint32_t i = 0; i < count; ++i) {
      token();
      if (trial.timing().device_seconds) device_s.push_back(*trial.timing().device_seconds);
    }
    return Timing{steady_seconds() - start, {}};
  };
  TokenSamples samples{take_samples(launches, steady_seconds, SamplingRules{}).samples_s, {}};
  if (!device_s.empty()) samples.device_s = median(device_s);
  return samples;
}

KvTiming time_position(KvTimingTrial& trial, std::uint32_t position) {
  KvTiming timing = trial.prepare(position);
  const TokenSamples with = sample_tokens(trial, [&] { trial.with_cache(); });
  const TokenSamples without = sample_tokens(trial, [&] { trial.without_cache(); });
  timing.with_cache_samples_s = with.host_s;
  timing.without_cache_samples_s = without.host_s;
  timing.with_cache_s = median(with.host_s);
  timing.without_cache_s = median(without.host_s);
  timing.with_cache_device_s = with.device_s;
  timing.without_cache_device_s = without.device_s;
  return timing;
}

}  // namespace

bool fits_kv_ab(const Config& config) {
  std::uint64_t weights = 0;
  for (const Projection p : {Projection::Q, Projection::K, Projection::V, Projection::O,
                             Projection::Gate, Projection::Up, Projection::Down}) {
    const Shape shape = projection_shape(config, p);
    weights += std::uint64_t{shape.n} * shape.k * config.layers;
  }
  return weights <= kMostWeights;
}

void check_kv(Device& device, const Checkpoint& checkpoint, const KvSuite& suite) {
  KvAbOptions options;
  options.model = suite.model;
  options.seed = suite.seed;
  options.positions = suite.positions;
  options.on_result = suite.on_result;
  options.go_on = suite.go_on;
  guarded(device, suite, [&] {
    run_kv_ab(device, checkpoint, options);
    if (device.info().backend != Backend::Cpu) {
      const std::unique_ptr<Device> cpu = open_cpu({});
      run_kv_across(device, *cpu, checkpoint, options);
    }
  });
}

void time_kv(Device& device, const Checkpoint& checkpoint, const KvSuite& suite, double longest_s) {
  guarded(device, suite, [&] {
    KernelSet kernels(device, {}, Tuning(device.info(), suite.tuning));
    const HeadFormat head = choose_head(HeadFormat::Auto, device.info().backend, 1);
    Transformer transformer(kernels, checkpoint, {.head = head});
    const std::uint32_t last = std::min(checkpoint.config().max_positions - 1, kPositions[6]);
    KvTimingTrial trial(device, transformer, suite.format, last, suite.seed);
    const std::unique_ptr<Waker> waker = make_waker(device);
    for (const std::uint32_t position : kPositions) {
      if (position > last || !suite.go_on()) return;
      if (waker) waker->wake();
      KvTiming timing = time_position(trial, position);
      timing.model = suite.model;
      timing.head = head_format_name(head);
      timing.device = device.info().id;
      suite.on_timing(timing);
      if (2 * timing.without_cache_s > longest_s) return;  // the next position costs twice as much
    }
  });
}

}  // namespace rotor
