// Logits -> token id: greedy, or HF's processors and warpers in HF's order
// (repetition penalty, no-repeat n-gram, temperature, top-k, top-p, min-p, draw).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"

namespace rotor {

struct SamplingOptions {
  float temperature = 1.0f;           // 0: greedy
  std::uint32_t top_k = 0;            // 0: off
  float top_p = 1.0f;                 // 1: off
  float min_p = 0.0f;                 // 0: off
  float repetition_penalty = 1.0f;    // 1: off
  std::uint32_t no_repeat_ngram = 0;  // 0: off
  std::uint64_t seed = 0;
};

// A candidate after all filters.
struct Candidate {
  std::uint32_t id;
  float probability;
};

class Sampler {
 public:
  // Throws UsageError for options out of range (negative temperature, top_p outside (0, 1], ...).
  explicit Sampler(const SamplingOptions& options);

  // The next token. logits: [vocab]; history: prompt and output so far (for penalties). Same seed,
  // same logits: same tokens. Greedy takes the lowest id among equals. Throws Error if a logit is
  // NaN or nothing is left to choose from.
  std::uint32_t next(std::span<const float> logits, std::span<const std::uint32_t> history);

  // The exact distribution that `next` draws from, most probable first (ties: lower id first).
  std::vector<Candidate> distribution(std::span<const float> logits,
                                      std::span<const std::uint32_t> history) const;

 private:
  SamplingOptions options_;
  Random random_;
};

}  // namespace rotor
