#include "verify/kv_runner.h"

#include "core/random.h"
#include "verify/kv_recorder.h"

namespace rotor {
namespace {

constexpr std::uint32_t kSpare = 3;  // positions behind the text: they must stay as they were

std::vector<std::uint32_t> random_tokens(std::uint64_t seed, std::uint32_t count,
                                         std::uint32_t vocab) {
  Random random(seed);
  std::vector<std::uint32_t> tokens(count);
  for (std::uint32_t& token : tokens) token = random.below(vocab);
  return tokens;
}

}  // namespace

KvRunner::KvRunner(KernelSet& kernels, const Checkpoint& checkpoint, std::string model,
                   std::uint64_t seed, std::uint32_t positions)
    : kernels_(kernels),
      device_(kernels.device()),
      config_(checkpoint.config()),
      head_packing_(checkpoint.head().packing),
      model_(std::move(model)),
      transformer_(kernels, checkpoint, {.chunk = positions, .progress = {}}),
      tokens_(random_tokens(mix(seed), positions, config_.vocab)),
      junk_(random_tokens(~mix(seed), positions, config_.vocab)) {
  for (std::uint32_t layer = 0; layer < config_.layers; ++layer) {
    gains_.push_back(checkpoint.norm(layer, Norm::Input));
  }
}

KvRunner::Trace KvRunner::empty_trace() const {
  Trace trace;
  trace.inputs.assign(config_.layers, std::vector<float>(tokens_.size() * config_.hidden));
  trace.attention.assign(config_.layers, std::vector<float>(tokens_.size() * config_.q_rows()));
  trace.logits.resize(tokens_.size() * config_.vocab);
  return trace;
}

// Everything in one pass: no row is older than its reader.
const KvRunner::Reference& KvRunner::reference(Packing format) {
  const std::pair key(format, kernels_.batches_by_single_rows());
  const auto found = references_.find(key);
  if (found != references_.end()) return found->second;
  const KvVariant whole{.name = "whole",
                        .positions = positions(),
                        .actions = {{KvAction::Kind::Feed, positions()}},
                        .format = format,
                        .against = format};
  KvCache cache = make_cache(whole);
  Reference made{empty_trace(), {}};
  const KvDisturbance nobody;
  Recorder recorder(device_, config_, made.trace, nullptr, nobody);
  follow(whole, cache, &recorder, made.trace);
  made.rows = read_rows(cache);
  return references_.emplace(key, std::move(made)).first->second;
}

KvCache KvRunner::make_cache(const KvVariant& variant) const {
  KvCache cache(device_, config_, variant.format, variant.positions + (variant.full ? 0 : kSpare));
  cache.poison(0);
  return cache;
}

void KvRunner::follow(const KvVariant& variant, KvCache& cache, Recorder* recorder, Trace& trace) {
  for (const KvAction& action : variant.actions) {
    switch (action.kind) {
      case KvAction::Kind::Feed:
        feed(action.count, cache, recorder, trace);
        break;
      case KvAction::Kind::Junk:
        if (recorder != nullptr) recorder->at(cache.length(), action.count, true);
        transformer_.forward_all(std::span(junk_).first(action.count), cache, recorder);
        break;
      case KvAction::Kind::Truncate:
        cache.truncate(action.count);
        break;
      case KvAction::Kind::Poison:
        cache.poison(cache.length());
        break;
    }
  }
}

// Without a recorder this is the path that generation takes: a replayed sequence for one token.
void KvRunner::feed(std::uint32_t count, KvCache& cache, Recorder* recorder, Trace& trace) {
  const std::uint32_t position = cache.length();
  const auto tokens = std::span(tokens_).subspan(position, count);
  if (recorder != nullptr) recorder->at(position, count, false);
  const auto logits = recorder == nullptr && count == 1
                          ? transformer_.forward(tokens, cache)
                          : transformer_.forward_all(tokens, cache, recorder);
  std::copy(logits.begin(), logits.end(),
            trace.logits.begin() + std::ptrdiff_t{position} * config_.vocab);
}

KvRunner::Rows KvRunner::read_rows(const KvCache& cache) const {
  Rows rows;
  for (std::uint32_t layer = 0; layer < config_.layers; ++layer) {
    for (const View& half : {cache.keys(layer), cache.values(layer)}) {
      rows.emplace_back(half.bytes);
      device_.read(half, rows.back());
    }
  }
  return rows;
}

}  // namespace rotor
