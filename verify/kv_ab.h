// With the KV cache against without it: the same tokens through one pass over everything and through
// the steps that generation takes (measuring-and-verifying, part D). Nothing is timed here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/transformer.h"
#include "verify/verify.h"

namespace rotor {

// A small untied model (3 layers, d = 256, groups of 4 query heads, vocabulary 512) whose attention
// is far from uniform: a lost or stale row shows, and so does a wrong token. A tied untrained model
// repeats its last token whatever the cache does.
std::unique_ptr<Checkpoint> random_untied_model(std::uint64_t seed);

struct KvAbOptions {
  std::string model;  // its name in results: "demo"
  std::uint64_t seed = 0;
  std::uint32_t positions = 145;  // the longest prefill and some decoding
  std::function<void(const KvResult&)> on_result = [](const KvResult&) {};  // as each row is known
  std::function<bool()> go_on = [] { return true; };  // asked between variants
};

// Every way to fill a cache (prefills around block borders, chunks, reset and reuse, truncation, a
// full cache, row formats), each
//   bitwise     on the path that generation takes: logits and cache rows have equal bits; only where
//               the same kernels serve one token and many, else skipped
//   lockstep    every layer is fed what it got without the cache: attention outputs agree to 1e-5 of
//               the largest (f16 rows against f32 rows: 5e-3)
//   cache_rows  the rows that lock-step left, against those of the pass without reuse
//   end_to_end  teacher forcing: logits in units of their deviation and tokens, by the margin rule,
//               against a control that shares no cache: passes of other lengths
// Throws UnsupportedError, DeviceError and what the checkpoint throws.
std::vector<KvResult> run_kv_ab(Device& device, const Checkpoint& checkpoint,
                                const KvAbOptions& options);

// Prefill on one device, decoding on the other with a copy of the cache, by the criterion of
// end_to_end. The control is what both devices answer without a cache. Throws as above.
std::vector<KvResult> run_kv_across(Device& prefill, Device& decode, const Checkpoint& checkpoint,
                                    const KvAbOptions& options);

// Injects the eleven cache bugs of A.5 into attention, rotation and cache memory of the random model;
// lock-step must catch each, and cache_rows those that write wrong rows.
SelfTest run_kv_self_test(Device& cpu, std::uint64_t seed);

// One token at a position, with and without the cache, for somebody with a clock. Tokens are random.
class KvTimingTrial {
 public:
  // Positions 0 ... max_position can be timed. Throws UsageError if the model has fewer.
  KvTimingTrial(Device& device, Transformer& transformer, Packing format,
                std::uint32_t max_position, std::uint64_t seed);

  // Fills the cache with the `position` tokens before the one to be timed. Returns what is known of its
  // time before it is taken: position, formats, kernels, bytes and multiply-adds.
  KvTiming prepare(std::uint32_t position);
  // Computes the token at `position` from the cache; may be repeated. Returns its logits, valid until
  // the next call.
  std::span<const float> with_cache();
  // Computes all position + 1 tokens from nothing; may be repeated. Returns the same logits.
  std::span<const float> without_cache();
  // What the device says of the last of these calls.
  const Timing& timing() const { return transformer_.timing(); }

 private:
  Transformer& transformer_;
  KvCache cache_;
  KvCache scratch_;
  std::vector<std::uint32_t> tokens_;
  std::uint32_t position_ = 0;
};

}  // namespace rotor
