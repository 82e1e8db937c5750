#include "bench/kv.h"

#include <algorithm>

#include "bench/sampling.h"
#include "core/error.h"
#include "core/stats.h"
#include "runtime/devices.h"
#include "verify/kv_ab.h"

namespace rotor {
namespace {

// Tokens before the one that is timed: the last position of a doubling context.
constexpr std::uint32_t kPositions[] = {15, 63, 127, 255, 511, 1023, 2047};

// Ternary weights above which an A/B of hundreds of passes would take a run's whole time.
constexpr std::uint64_t kMostWeights = 50'000'000;

KvResult unsupported(const Device& device, const KvSuite& suite, const UnsupportedError& error) {
  KvResult result;
  result.id = "kv/lockstep/all/" + suite.model;
  result.device = device.info().id;
  result.mode = "lockstep";
  result.variant = "all";
  result.status = Status::Unsupported;
  result.reason_code = error.reason();
  result.message = error.what();
  return result;
}

Measurement sample_tokens(const std::function<void()>& token) {
  const auto launches = [&](std::uint64_t, std::uint32_t count) {
    const double start = steady_seconds();
    for (std::uint32_t i = 0; i < count; ++i) token();
    return Timing{steady_seconds() - start, {}};
  };
  return take_samples(launches, steady_seconds, SamplingRules{});
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
  options.on_result = suite.on_result;
  options.go_on = suite.go_on;
  try {
    run_kv_ab(device, checkpoint, options);
    if (device.info().backend != Backend::Cpu) {
      const std::unique_ptr<Device> cpu = open_cpu({});
      run_kv_across(device, *cpu, checkpoint, options);
    }
  } catch (const UnsupportedError& error) {
    suite.on_result(unsupported(device, suite, error));
  }
}

void time_kv(Device& device, const Checkpoint& checkpoint, const KvSuite& suite, double longest_s) {
  KernelSet kernels(device);
  Transformer transformer(kernels, checkpoint, {});
  const std::uint32_t last = std::min(checkpoint.config().max_positions - 1, kPositions[6]);
  KvTimingTrial trial(device, transformer, Packing::F32, last, suite.seed);
  for (const std::uint32_t position : kPositions) {
    if (position > last || !suite.go_on()) return;
    trial.prepare(position);
    KvTiming timing;
    timing.model = suite.model;
    timing.device = device.info().id;
    timing.position = position;
    timing.format = packing_name(Packing::F32);
    timing.with_cache_samples_s = sample_tokens([&] { trial.with_cache(); }).samples_s;
    timing.without_cache_samples_s = sample_tokens([&] { trial.without_cache(); }).samples_s;
    timing.with_cache_s = median(timing.with_cache_samples_s);
    timing.without_cache_s = median(timing.without_cache_samples_s);
    suite.on_timing(timing);
    if (2 * timing.without_cache_s > longest_s) return;  // the next position costs twice as much
  }
}

}  // namespace rotor
