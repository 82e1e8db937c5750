// Logits -> token id: greedy, or the processors and warpers of the Hugging Face library in its
// order (repetition penalty, no-repeat n-gram, temperature, top-k, top-p, min-p, draw).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/random.h"
#include "kernels/params.h"

namespace rotor {

// Each filter sees what the ones before it left; probabilities are renormalised in between.
struct SamplingOptions {
  float temperature = 1.0f;  // divides the logits; 0: greedy
  std::uint32_t top_k = 0;   // keep the k largest logits, and all equal to the k-th; 0: off
  float top_p = 1.0f;        // keep the fewest tokens, best first, of at least this mass; 1: off
  float min_p = 0.0f;        // drop tokens below this share of the best one's probability; 0: off
  // Logits of tokens in the history are divided by it where positive, else multiplied; 1: off.
  float repetition_penalty = 1.0f;
  // Never complete a run of this many tokens that is in the history already; 0: off.
  std::uint32_t no_repeat_ngram = 0;
  std::optional<std::uint32_t> bos;  // never penalised or forbidden
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
  // NaN or +infinity, UsageError if the options leave nothing to choose from. Allocates nothing
  // once its buffers have grown to the vocabulary.
  std::uint32_t next(std::span<const float> logits, std::span<const std::uint32_t> history);

  // The same from the largest logits alone, best first and lower ids first among equals: at least
  // logits_needed() of them, which must not be 0.
  std::uint32_t next(std::span<const RankedLogit> best);

  // How many of the largest logits decide; 0: all of them. The others may be anything smaller.
  std::uint32_t logits_needed() const;

  // The exact distribution that `next` draws from, most probable first (ties: lower id first).
  // Throws as `next` does.
  std::vector<Candidate> distribution(std::span<const float> logits,
                                      std::span<const std::uint32_t> history) const;

 private:
  // A candidate before its probability is known.
  struct Weighted {
    std::uint32_t id;
    float weight;  // exp((logit - largest logit) / temperature)
  };
  // Buffers that are reused from token to token.
  struct Scratch {
    std::vector<float> scores;    // [vocab], logits after the penalties; -infinity: forbidden
    std::vector<float> weights;   // [vocab], before top-p and min-p
    std::vector<float> best;      // [top_k], to find the k-th largest
    std::vector<bool> penalised;  // [vocab]
    std::vector<Weighted> kept;   // what the filters left
  };

  void penalise(std::span<const float> logits, std::span<const std::uint32_t> history,
                Scratch& scratch) const;
  void forbid_repeats(std::span<const std::uint32_t> history, std::vector<float>& scores) const;
  void filter(std::span<const float> logits, std::span<const std::uint32_t> history,
              Scratch& scratch) const;
  void keep_probable(std::vector<Weighted>& kept) const;
  std::uint32_t draw(const std::vector<Weighted>& kept);
  float score_floor(Scratch& scratch) const;
  void keep_top_p(std::vector<Weighted>& kept) const;

  SamplingOptions options_;
  Random random_;
  Scratch scratch_;
};

}  // namespace rotor
