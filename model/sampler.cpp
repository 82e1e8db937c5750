#include "model/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "core/error.h"

namespace rotor {
namespace {

constexpr float kForbidden = -std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();

void require(bool holds, const std::string& rule) {
  if (!holds) throw UsageError("sampling: " + rule);
}

// More probable first; lower id first among equals.
constexpr auto kBefore = [](const auto& a, const auto& b) {
  return a.weight > b.weight || (a.weight == b.weight && a.id < b.id);
};

// In double and in a fixed order, so that the sum of 100,000 weights is the same everywhere.
template <typename Kept>
double total_weight(const Kept& kept) {
  double total = 0;
  for (const auto& candidate : kept) total += candidate.weight;
  return total;
}

// Weights of less than exp(kLowest) = 1.6e-38 are dropped: no draw would ever notice them.
constexpr float kLowest = -87;
constexpr float kNegligible = 1.7e-38f;

// exp(x) for x <= 0, within 2 ulp; negligible below kLowest. exp(0) is exactly 1. Plain arithmetic
// without branches, so that it is the same everywhere and that the loop over the vocabulary becomes
// SIMD code.
float exp_nonpositive(float x) {
  // The larger of x and kLowest. Among negative floats, larger bits mean larger magnitude;
  // comparing the floats themselves keeps GCC from vectorising (it might trap).
  constexpr auto kLowestBits = std::bit_cast<std::uint32_t>(kLowest);
  const float y = std::bit_cast<float>(std::min(std::bit_cast<std::uint32_t>(x), kLowestBits));
  // y = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts, the first with trailing zeros.
  const auto n = static_cast<std::int32_t>(y * 1.44269504f - 0.5f);
  const auto whole = static_cast<float>(n);
  const float r = (y - whole * 0.693359375f) - whole * -2.12194440e-4f;
  // The Taylor series up to r^7 leaves 6e-9.
  float sum = 1 / 5040.0f;
  sum = sum * r + 1 / 720.0f;
  sum = sum * r + 1 / 120.0f;
  sum = sum * r + 1 / 24.0f;
  sum = sum * r + 1 / 6.0f;
  sum = sum * r + 0.5f;
  sum = sum * (r * r) + r;  // exp(r) - 1, small, so that adding 1 rounds just once
  return (sum + 1) * std::bit_cast<float>((n + 127) << 23);
}

// first_id: of the first of them.
void check_logits(std::span<const float> logits, std::uint32_t first_id = 0) {
  const auto is_bad = [](float x) { return !(x <= kLargest); };  // true for NaN
  const auto bad = std::find_if(logits.begin(), logits.end(), is_bad);
  if (bad == logits.end()) return;
  throw Error("the logit of token " + std::to_string(first_id + (bad - logits.begin())) + " is " +
                  (std::isnan(*bad) ? "not a number" : "infinite") +
                  ": the forward pass went wrong; check it with rotor-bench --verify-only",
              kExitCheckFailed);
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {
  // Written so that NaN fails each of them.
  require(options.temperature >= 0 && std::isfinite(options.temperature),
          "the temperature must be 0 (greedy) or positive");
  require(options.top_p > 0 && options.top_p <= 1, "top-p must be above 0 and at most 1 (off)");
  require(options.min_p >= 0 && options.min_p <= 1, "min-p must be between 0 (off) and 1");
  require(options.repetition_penalty > 0 && std::isfinite(options.repetition_penalty),
          "the repetition penalty must be positive (1: off)");
}

// Fills scores: the logits, with each distinct token of the history penalised once.
void Sampler::penalise(std::span<const float> logits, std::span<const std::uint32_t> history,
                       Scratch& scratch) const {
  scratch.scores.assign(logits.begin(), logits.end());
  const bool uses_history = options_.repetition_penalty != 1 || options_.no_repeat_ngram != 0;
  if (!uses_history) return;
  for (const std::uint32_t id : history) {
    require(id < logits.size(), "token " + std::to_string(id) + " of the history is beyond the " +
                                    std::to_string(logits.size()) + " logits");
  }
  if (options_.repetition_penalty == 1) return;
  scratch.penalised.assign(logits.size(), false);
  for (const std::uint32_t id : history) {
    if (scratch.penalised[id] || id == options_.bos) continue;
    scratch.penalised[id] = true;
    float& score = scratch.scores[id];
    score = score < 0 ? score * options_.repetition_penalty : score / options_.repetition_penalty;
    score = std::min(score, kLargest);  // a tiny penalty must not make an infinity
  }
}

// Forbids every token that followed an earlier occurrence of the last n - 1 tokens.
void Sampler::forbid_repeats(std::span<const std::uint32_t> history,
                             std::vector<float>& scores) const {
  const std::size_t n = options_.no_repeat_ngram;
  if (n == 0 || history.size() < n) return;
  const auto recent = history.last(n - 1);
  for (std::size_t i = 0; i + n <= history.size(); ++i) {
    const std::uint32_t follower = history[i + n - 1];
    if (follower == options_.bos) continue;
    if (std::ranges::equal(history.subspan(i, n - 1), recent)) scores[follower] = kForbidden;
  }
}

// The k-th largest score: what is below it is out. Division by the temperature keeps the order, so
// this can come first. A heap of k beats std::nth_element: few scores of 100,000 get into it.
float Sampler::score_floor(Scratch& scratch) const {
  const std::size_t k = options_.top_k;
  if (k == 0 || k >= scratch.scores.size()) return kForbidden;
  auto& heap = scratch.best;  // smallest of the k best so far in front
  heap.assign(scratch.scores.begin(), scratch.scores.begin() + static_cast<std::ptrdiff_t>(k));
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  for (std::size_t id = k; id < scratch.scores.size(); ++id) {
    if (scratch.scores[id] <= heap.front()) continue;
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.back() = scratch.scores[id];
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  }
  return heap.front();
}

// Keeps the shortest prefix, best first, that has the mass top_p. It is short as a rule, so only as
// much is sorted as turns out to be needed.
void Sampler::keep_top_p(std::vector<Weighted>& kept) const {
  const double wanted = options_.top_p * total_weight(kept);
  double mass = 0;
  std::size_t sorted = 0;
  for (std::size_t count = 0; count < kept.size() && mass < wanted; ++count) {
    if (count == sorted) {
      const auto from = kept.begin() + static_cast<std::ptrdiff_t>(sorted);
      sorted = std::min(kept.size(), std::max<std::size_t>(64, 8 * sorted));
      const auto to = kept.begin() + static_cast<std::ptrdiff_t>(sorted);
      std::partial_sort(from, to, kept.end(), kBefore);
    }
    mass += kept[count].weight;
    if (mass >= wanted) kept.resize(count + 1);
  }
}

// Fills scratch.kept with what all filters leave, in an order that depends on nothing but them.
void Sampler::filter(std::span<const float> logits, std::span<const std::uint32_t> history,
                     Scratch& scratch) const {
  check_logits(logits);
  penalise(logits, history, scratch);
  forbid_repeats(history, scratch.scores);
  const std::vector<float>& scores = scratch.scores;
  const auto best = std::max_element(scores.begin(), scores.end());  // the first of equals
  if (best == scores.end() || *best == kForbidden) {
    throw UsageError("sampling: no token is left to choose; is no-repeat-ngram " +
                     std::to_string(options_.no_repeat_ngram) + " too strict?");
  }
  scratch.kept.clear();
  if (options_.temperature == 0) {
    scratch.kept.push_back({static_cast<std::uint32_t>(best - scores.begin()), 1});
    return;
  }
  const float floor = score_floor(scratch);
  const float largest = *best;
  scratch.weights.resize(scores.size());
  for (std::size_t id = 0; id < scores.size(); ++id) {
    scratch.weights[id] = exp_nonpositive((scores[id] - largest) / options_.temperature);
  }
  for (std::uint32_t id = 0; id < scores.size(); ++id) {
    const float weight = scratch.weights[id];
    if (weight > kNegligible && scores[id] >= floor) scratch.kept.push_back({id, weight});
  }
  keep_probable(scratch.kept);
}

// The filters behind the temperature.
void Sampler::keep_probable(std::vector<Weighted>& kept) const {
  if (options_.top_p < 1) keep_top_p(kept);
  // The best weight is exactly 1, so min-p compares with it directly.
  std::erase_if(kept, [&](const Weighted& w) { return w.weight < options_.min_p; });
}

std::uint32_t Sampler::logits_needed() const {
  // Penalties bring down the largest.
  if (options_.repetition_penalty != 1 || options_.no_repeat_ngram != 0) return 0;
  return options_.temperature == 0 ? 1 : options_.top_k;
}

std::uint32_t Sampler::next(std::span<const float> logits, std::span<const std::uint32_t> history) {
  filter(logits, history, scratch_);
  return draw(scratch_.kept);
}

std::uint32_t Sampler::next(std::span<const RankedLogit> best) {
  for (const RankedLogit& found : best) check_logits({&found.value, 1}, found.id);
  if (options_.temperature == 0) return best.front().id;
  std::vector<Weighted>& kept = scratch_.kept;
  kept.clear();
  for (const RankedLogit& found : best.first(std::min<std::size_t>(options_.top_k, best.size()))) {
    const float weight = exp_nonpositive((found.value - best.front().value) / options_.temperature);
    if (weight > kNegligible) kept.push_back({found.id, weight});
  }
  // In the order in which all logits would have left them: the same draws then.
  std::sort(kept.begin(), kept.end(),
            [](const Weighted& a, const Weighted& b) { return a.id < b.id; });
  keep_probable(kept);
  return draw(kept);
}

std::uint32_t Sampler::draw(const std::vector<Weighted>& kept) {
  if (kept.size() == 1) return kept.front().id;
  const double target = random_.uniform() * total_weight(kept);
  double mass = 0;
  std::uint32_t chosen = kept.front().id;
  for (const Weighted& candidate : kept) {
    chosen = candidate.id;
    mass += candidate.weight;
    if (mass > target) break;
  }
  return chosen;
}

std::vector<Candidate> Sampler::distribution(std::span<const float> logits,
                                             std::span<const std::uint32_t> history) const {
  Scratch scratch;
  filter(logits, history, scratch);
  std::sort(scratch.kept.begin(), scratch.kept.end(), kBefore);
  const double total = total_weight(scratch.kept);
  std::vector<Candidate> result;
  result.reserve(scratch.kept.size());
  for (const Weighted& w : scratch.kept) {
    result.push_back({w.id, static_cast<float>(w.weight / total)});
  }
  return result;
}

}  // namespace rotor
