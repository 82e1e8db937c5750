#include "verify/kv_ab.h"

#include <algorithm>

#include "core/error.h"
#include "core/random.h"
#include "verify/kv_runner.h"

namespace rotor {

namespace {

// A few positions more than the text are needed behind it.
std::uint32_t positions_for(const Checkpoint& checkpoint, const KvAbOptions& options) {
  const std::uint32_t room = checkpoint.config().max_positions;
  if (room < 72) throw UsageError("the KV test needs a model of at least 72 positions");
  return std::min(options.positions, room - 8);
}

}  // namespace

std::vector<KvResult> run_kv_ab(Device& device, const Checkpoint& checkpoint,
                                const KvAbOptions& options) {
  KernelSet kernels(device);
  KvRunner runner(kernels, checkpoint, options.model, options.seed,
                  positions_for(checkpoint, options));
  std::vector<KvResult> results;
  const auto add = [&](KvResult result) {
    options.on_result(result);
    results.push_back(std::move(result));
  };
  for (const KvVariant& variant : kv_variants(runner.positions())) {
    if (!options.go_on()) break;
    // Rows of another format are not the same bits, and logits move with every flipped code.
    const bool same_format = variant.format == variant.against;
    if (same_format) add(runner.bitwise(variant));
    for (KvResult& result : runner.lockstep(variant)) add(std::move(result));
    if (same_format) add(runner.end_to_end(variant));
  }
  return results;
}

std::vector<KvResult> run_kv_across(Device& prefill, Device& decode, const Checkpoint& checkpoint,
                                    const KvAbOptions& options) {
  KernelSet there(prefill);
  KernelSet here(decode);
  const std::uint32_t positions = positions_for(checkpoint, options);
  KvRunner first(there, checkpoint, options.model, options.seed, positions);
  KvRunner second(here, checkpoint, options.model, options.seed, positions);
  std::vector<KvResult> results;
  for (const std::uint32_t prompt : {16u, 64u}) {
    if (!options.go_on()) break;
    results.push_back(second.across(first, prompt));
    options.on_result(results.back());
  }
  return results;
}

KvTimingTrial::KvTimingTrial(Device& device, Transformer& transformer, Packing format,
                             std::uint32_t max_position, std::uint64_t seed)
    : transformer_(transformer),
      cache_(device, transformer.config(), format, max_position + 1),
      scratch_(device, transformer.config(), format, max_position + 1),
      tokens_(max_position + 1) {
  Random random(mix(seed));
  for (std::uint32_t& token : tokens_) token = random.below(transformer.config().vocab);
}

KvTiming KvTimingTrial::prepare(std::uint32_t position) {
  cache_.truncate(0);
  position_ = position;
  if (position > 0) transformer_.forward(std::span(tokens_).first(position), cache_);
  KvTiming timing;
  timing.position = position;
  timing.format = packing_name(cache_.format());
  timing.variant = transformer_.product_variant(cache_, 1).name;
  timing.prompt_variant =
      transformer_.product_variant(cache_, std::min(position + 1, transformer_.chunk())).name;
  timing.token_bytes = transformer_.token_bytes(cache_);
  timing.token_macs = transformer_.token_macs();
  return timing;
}

std::span<const float> KvTimingTrial::with_cache() {
  cache_.truncate(position_);
  return transformer_.forward(std::span(tokens_).subspan(position_, 1), cache_, 1);
}

std::span<const float> KvTimingTrial::without_cache() {
  scratch_.truncate(0);
  return transformer_.forward(std::span(tokens_).first(position_ + 1), scratch_, 1);
}

}  // namespace rotor
