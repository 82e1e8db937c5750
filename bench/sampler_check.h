// Whether the sampler draws what it should: after every filter, drawn tokens against the exact
// distribution, which is worked out here a second time, in double and as plainly as possible.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/quality.h"
#include "model/sampler.h"

namespace rotor {

// The probability of every token, [vocab], after the penalties and filters of SamplingOptions.
std::vector<double> exact_distribution(const SamplingOptions& options,
                                       std::span<const float> logits,
                                       std::span<const std::uint32_t> history);

// Pearson's test of how often each outcome came against how likely it is. The likeliest outcomes
// have a class each; rarer ones share classes of at least 5 expected draws.
struct Fit {
  double chi_square = 0;
  std::uint32_t freedom = 0;     // classes less one
  double p_value = 1;            // probability of a chi-square at least as large if all is well
  std::uint64_t impossible = 0;  // draws of outcomes that have no probability
};
Fit test_fit(std::span<const std::uint64_t> counts, std::span<const double> probabilities);

// One result for each filter alone and for all of them together, on generated logits.
std::vector<SamplerCheck> check_sampler(std::uint64_t seed);

}  // namespace rotor
