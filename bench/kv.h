// The KV suite on one device: verify's A/B of a cache against none, and the time per token with and
// without it.
#pragma once

#include <functional>
#include <string>

#include "core/result.h"
#include "model/weights.h"
#include "runtime/device.h"
#include "runtime/tuning.h"

namespace rotor {

struct KvSuite {
  std::string model;  // name in results
  std::uint64_t seed = 0;
  std::uint32_t positions = 145;  // of the A/B: as in KvAbOptions
  Packing format = Packing::F32;  // of the cache's rows, in the times
  TuningOptions tuning;           // of the times; the A/B compares what the registry's order gives
  std::function<void(const KvResult&)> on_result;
  std::function<void(const KvTiming&)> on_timing;
  std::function<bool()> go_on;  // asked now and then; false ends early
};

// Whether a model is small enough to be run hundreds of times.
bool fits_kv_ab(const Config& config);

// The A/B on this checkpoint. What the device cannot run becomes a result with the reason.
void check_kv(Device& device, const Checkpoint& checkpoint, const KvSuite& suite);

// Times per token at growing positions, with the head that suits the best token alone, until the model
// ends, or one token without the cache takes more than `longest_s`.
void time_kv(Device& device, const Checkpoint& checkpoint, const KvSuite& suite, double longest_s);

}  // namespace rotor
