// How likely a text is to the model, position by position.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "model/generate.h"

namespace rotor {

// What one sequence of tokens looks like to the model. Names are those of verify/goldens/README.md.
struct Scores {
  std::vector<std::uint32_t> ids;
  std::vector<std::uint32_t> argmax;
  std::vector<double> margin;          // best logit minus second best
  std::vector<double> nll;             // of ids[i + 1] at position i: one shorter than ids
  std::vector<float> last_logits;      // [vocab]
  std::vector<double> layer_rms_last;  // after the embedding, each layer but the last, final norm
};

// Scores at least one token from an empty cache (its contents are dropped). `go_on` is asked between
// passes; if it says no, what is known so far is returned. Throws as Transformer::forward does.
Scores score(Transformer& transformer, KvCache& cache, std::vector<std::uint32_t> ids,
             Recompute recompute, const std::function<bool()>& go_on);

// exp of the mean nll; NaN for a single token.
double perplexity(const Scores& scores);

}  // namespace rotor
