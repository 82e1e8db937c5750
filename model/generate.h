// The loop: prefill, decode, stop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/sampler.h"
#include "model/transformer.h"

namespace rotor {

// Whether each token attends to cached keys and values or the whole text is computed again.
enum class Recompute : std::uint8_t { Never, EveryToken };

struct GenerateOptions {
  std::uint32_t max_tokens = 128;
  std::vector<std::uint32_t> stop_tokens;
  Recompute recompute = Recompute::Never;
};

enum class StopCause : std::uint8_t { StopToken, MaxTokens, ContextFull, Caller };

struct GenerateResult {
  std::vector<std::uint32_t> tokens;  // without the stop token
  StopCause stop = StopCause::MaxTokens;
  std::uint32_t prompt_tokens = 0;  // processed in this call
  double prompt_seconds = 0;        // until the first logits
  double first_token_seconds = 0;   // until the first token was chosen
  double decode_seconds = 0;        // from the first token to the last

  // Tokens a second; nothing where nothing was measured.
  std::optional<double> prompt_rate() const;
  std::optional<double> decode_rate() const;  // of those after the first, which come one by one
};

// "45.0 tokens/s", or "-".
std::string rate_text(std::optional<double> tokens_per_second);

// Called with each token as it comes; false stops the generation.
using OnToken = std::function<bool(std::uint32_t token)>;

// Continues `prompt` behind what the cache holds. History for penalties is `history` + prompt +
// output. Afterwards the cache holds every token whose successor was asked for. Throws UsageError
// for an empty prompt or one that does not fit.
GenerateResult generate(Transformer& transformer, KvCache& cache, Sampler& sampler,
                        std::span<const std::uint32_t> history,
                        std::span<const std::uint32_t> prompt, const GenerateOptions& options,
                        const OnToken& on_token);

}  // namespace rotor
