#include "bench/sampler_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "core/stats.h"

namespace rotor {
namespace {

constexpr std::uint32_t kVocab = 512;
constexpr std::uint64_t kDraws = 50000;
// Nine tests of a good sampler find one p-value below this in one of 100,000 runs.
constexpr double kLowestP = 1e-6;

using Doubles = std::vector<double>;

void penalise(const SamplingOptions& options, std::span<const std::uint32_t> history,
              Doubles& scores) {
  std::vector<bool> seen(scores.size());
  for (const std::uint32_t id : history) {
    if (seen[id] || id == options.bos) continue;
    seen[id] = true;
    const double penalty = options.repetition_penalty;
    scores[id] = scores[id] < 0 ? scores[id] * penalty : scores[id] / penalty;
  }
}

void forbid_repeats(const SamplingOptions& options, std::span<const std::uint32_t> history,
                    Doubles& scores) {
  const std::size_t n = options.no_repeat_ngram;
  if (n == 0) return;
  for (std::size_t end = n; end <= history.size(); ++end) {
    const auto run = history.subspan(end - n, n);
    const bool again = std::equal(run.begin(), run.end() - 1, history.end() - (n - 1));
    if (again && run.back() != options.bos) scores[run.back()] = -INFINITY;
  }
}

// exp of the scores over their sum.
Doubles softmax(const Doubles& scores) {
  const double best = *std::max_element(scores.begin(), scores.end());
  Doubles out;
  for (const double s : scores) out.push_back(std::exp(s - best));
  const double total = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& p : out) p /= total;
  return out;
}

// Tokens in the order of their probability, the lower id first among equals.
std::vector<std::size_t> best_first(const Doubles& probabilities) {
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return probabilities[a] > probabilities[b];
  });
  return order;
}

void keep_top_k(std::uint32_t k, Doubles& scores) {
  if (k == 0 || k >= scores.size()) return;
  const double floor = scores[best_first(scores)[k - 1]];
  for (double& s : scores) s = s < floor ? -INFINITY : s;
}

void keep_top_p(double top_p, Doubles& scores) {
  if (top_p >= 1) return;
  const Doubles probabilities = softmax(scores);
  double mass = 0;
  for (const std::size_t id : best_first(probabilities)) {
    if (mass >= top_p) scores[id] = -INFINITY;
    mass += probabilities[id];
  }
}

void keep_min_p(double min_p, Doubles& scores) {
  const Doubles probabilities = softmax(scores);
  const double best = *std::max_element(probabilities.begin(), probabilities.end());
  for (std::size_t id = 0; id < scores.size(); ++id) {
    if (probabilities[id] < min_p * best) scores[id] = -INFINITY;
  }
}

// Logits like those of a language model: a few likely tokens, many unlikely ones.
std::vector<float> generated_logits(std::uint64_t seed) {
  Random random(seed);
  std::vector<float> logits;
  for (std::uint32_t id = 0; id < kVocab; ++id) {
    double normal = -6;  // the sum of twelve uniform numbers, less 6, is close to normal
    for (int i = 0; i < 12; ++i) normal += random.uniform();
    logits.push_back(static_cast<float>(2.5 * normal));
  }
  return logits;
}

struct Filter {
  const char* name;
  SamplingOptions options;
};

std::vector<Filter> filters() {
  return {{"temperature 1", {}},
          {"temperature 0.6", {.temperature = 0.6f}},
          {"top-k 20", {.top_k = 20}},
          {"top-p 0.8", {.top_p = 0.8f}},
          {"min-p 0.05", {.min_p = 0.05f}},
          {"repetition penalty 1.5", {.repetition_penalty = 1.5f}},
          {"no repeat of 2 tokens", {.no_repeat_ngram = 2}},
          {"all filters",
           {.temperature = 1.3f,
            .top_k = 60,
            .top_p = 0.95f,
            .min_p = 0.01f,
            .repetition_penalty = 1.2f,
            .no_repeat_ngram = 2}},
          {"greedy", {.temperature = 0}}};
}

SamplerCheck check_filter(const Filter& filter, std::span<const float> logits,
                          std::span<const std::uint32_t> history, std::uint64_t seed) {
  SamplingOptions options = filter.options;
  options.seed = seed;
  Sampler sampler(options);
  std::vector<std::uint64_t> counts(logits.size());
  for (std::uint64_t i = 0; i < kDraws; ++i) ++counts[sampler.next(logits, history)];
  const Doubles exact = exact_distribution(options, logits, history);
  const Fit fit = test_fit(counts, exact);

  SamplerCheck check;
  check.filter = filter.name;
  check.draws = kDraws;
  check.kept = static_cast<std::uint32_t>(
      std::count_if(exact.begin(), exact.end(), [](double p) { return p > 0; }));
  check.impossible = fit.impossible;
  check.chi_square = fit.chi_square;
  check.freedom = fit.freedom;
  check.p_value = fit.p_value;
  check.seed = seed;
  const bool good = fit.impossible == 0 && fit.p_value >= kLowestP;
  check.status = good ? Status::Pass : Status::FailVerify;
  if (!good) {
    std::ostringstream message;
    message << fit.impossible << " draws of tokens that the filter drops; chi-square "
            << fit.chi_square << " with " << fit.freedom << " degrees of freedom (p " << fit.p_value
            << ", at least " << kLowestP << " expected)";
    check.reason_code = "distribution";
    check.message = message.str();
  }
  return check;
}

}  // namespace

std::vector<double> exact_distribution(const SamplingOptions& options,
                                       std::span<const float> logits,
                                       std::span<const std::uint32_t> history) {
  Doubles scores(logits.begin(), logits.end());
  penalise(options, history, scores);
  forbid_repeats(options, history, scores);
  if (options.temperature == 0) {
    Doubles only(scores.size(), 0);
    only[best_first(scores).front()] = 1;
    return only;
  }
  for (double& s : scores) s /= double{options.temperature};
  keep_top_k(options.top_k, scores);
  keep_top_p(options.top_p, scores);
  keep_min_p(options.min_p, scores);
  return softmax(scores);
}

Fit test_fit(std::span<const std::uint64_t> counts, std::span<const double> probabilities) {
  Fit fit;
  const double draws =
      static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  struct Class {
    double expected = 0;
    double seen = 0;
  };
  std::vector<Class> classes;
  const Doubles all(probabilities.begin(), probabilities.end());
  for (const std::size_t id : best_first(all)) {
    if (all[id] == 0) {
      fit.impossible += counts[id];
      continue;
    }
    if (classes.empty() || classes.back().expected >= 5) classes.push_back({});
    classes.back().expected += all[id] * draws;
    classes.back().seen += static_cast<double>(counts[id]);
  }
  if (classes.size() > 1 && classes.back().expected < 5) {  // what is left joins the class before
    const Class rest = classes.back();
    classes.pop_back();
    classes.back().expected += rest.expected;
    classes.back().seen += rest.seen;
  }
  for (const Class& c : classes) {
    fit.chi_square += (c.seen - c.expected) * (c.seen - c.expected) / c.expected;
  }
  fit.freedom = classes.empty() ? 0 : static_cast<std::uint32_t>(classes.size() - 1);
  if (fit.freedom > 0) fit.p_value = chi_square_tail(fit.chi_square, fit.freedom);
  return fit;
}

std::vector<SamplerCheck> check_sampler(std::uint64_t seed) {
  const std::vector<float> logits = generated_logits(seed);
  // The likeliest token came after the one that is last again: no-repeat must forbid it.
  const auto best =
      static_cast<std::uint32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  const std::uint32_t other = (best + 1) % kVocab;
  const std::vector<std::uint32_t> history = {best, other, best, best, 3, 99, 3, other};
  std::vector<SamplerCheck> checks;
  for (const Filter& filter : filters()) {
    checks.push_back(check_filter(filter, logits, history, mix(seed + checks.size())));
  }
  return checks;
}

}  // namespace rotor
