#include "model/generate.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace rotor {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::optional<double> per_second(std::size_t count, double seconds) {
  if (count == 0 || seconds <= 0) return std::nullopt;
  return static_cast<double>(count) / seconds;
}

}  // namespace

std::optional<double> GenerateResult::prompt_rate() const {
  return per_second(prompt_tokens, prompt_seconds);
}

std::optional<double> GenerateResult::decode_rate() const {
  return per_second(tokens.empty() ? 0 : tokens.size() - 1, decode_seconds);
}

std::string rate_text(std::optional<double> tokens_per_second) {
  if (!tokens_per_second) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f tokens/s", *tokens_per_second);
  return text;
}

GenerateResult generate(Transformer& transformer, KvCache& cache, Sampler& sampler,
                        std::span<const std::uint32_t> history,
                        std::span<const std::uint32_t> prompt, const GenerateOptions& options,
                        const OnToken& on_token) {
  GenerateResult result;
  result.prompt_tokens = static_cast<std::uint32_t>(prompt.size());
  std::vector<std::uint32_t> text(history.begin(), history.end());  // all tokens so far
  text.reserve(text.size() + prompt.size() + options.max_tokens);
  text.insert(text.end(), prompt.begin(), prompt.end());
  result.tokens.reserve(options.max_tokens);
  const std::uint32_t kept = cache.length();

  const std::uint32_t top = sampler.logits_needed();
  const auto start = Clock::now();
  std::span<const float> logits = transformer.forward(prompt, cache, top);
  result.prompt_seconds = seconds_since(start);
  auto first = start;
  while (result.tokens.size() < options.max_tokens) {
    const std::span<const RankedLogit> ranked = transformer.ranked();
    const std::uint32_t token = ranked.empty() ? sampler.next(logits, text) : sampler.next(ranked);
    if (result.tokens.empty()) {
      result.first_token_seconds = seconds_since(start);
      first = Clock::now();
    }
    if (std::find(options.stop_tokens.begin(), options.stop_tokens.end(), token) !=
        options.stop_tokens.end()) {
      result.stop = StopCause::StopToken;
      break;
    }
    text.push_back(token);
    result.tokens.push_back(token);
    if (!on_token(token)) {
      result.stop = StopCause::Caller;
      break;
    }
    if (result.tokens.size() == options.max_tokens) break;
    if (cache.length() == cache.capacity()) {
      result.stop = StopCause::ContextFull;
      break;
    }
    if (options.recompute == Recompute::EveryToken) {
      cache.truncate(kept);
      logits = transformer.forward(std::span(text).subspan(history.size()), cache, top);
    } else {
      logits = transformer.forward({&token, 1}, cache, top);
    }
    result.decode_seconds = seconds_since(first);
  }
  return result;
}

}  // namespace rotor
