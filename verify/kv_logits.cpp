// Logits of two passes held against each other, and what rounding alone does to them: the scale by which
// modes judge that are not exact.

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/random.h"
#include "core/stats.h"
#include "verify/kv_findings.h"
#include "verify/kv_runner.h"

namespace rotor {
namespace {

constexpr std::uint64_t kNoisyPasses = 3;
constexpr double kNoise = 0x1p-22;  // of a value: what sums of some hundred terms are rounded by

class Noise final : public Probe {
 public:
  explicit Noise(std::uint64_t seed) : random_(seed) {}
  void layer_input(std::uint32_t layer, std::span<float> x) override {
    (void)layer;
    for (float& v : x) v *= static_cast<float>(1 + kNoise * (2 * random_.uniform() - 1));
  }

 private:
  Random random_;
};

struct LogitRow {
  std::uint32_t argmax = 0;
  double margin = 0;     // best minus second best
  double deviation = 0;  // of the row
};

LogitRow describe(std::span<const float> logits) {
  LogitRow row;
  row.argmax =
      static_cast<std::uint32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  double sum = 0;
  double squares = 0;
  double second = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < logits.size(); ++i) {
    sum += logits[i];
    squares += double{logits[i]} * logits[i];
    if (i != row.argmax) second = std::max(second, double{logits[i]});
  }
  const double count = static_cast<double>(logits.size());
  row.margin = logits[row.argmax] - second;
  row.deviation = std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count)));
  return row;
}

}  // namespace

// Per position the largest difference in units of the logits' deviation; tokens, and the widest
// margin among those that differ.
KvRunner::LogitComparison KvRunner::compare_logits(const Trace& want, const Trace& got,
                                                   KvResult& result) const {
  LogitComparison found;
  result.tokens_equal = 0;
  for (std::uint32_t position = 0; position < result.positions; ++position) {
    const std::size_t first = std::size_t{position} * config_.vocab;
    const auto a = std::span(want.logits).subspan(first, config_.vocab);
    const auto b = std::span(got.logits).subspan(first, config_.vocab);
    const LogitRow row = describe(a);
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, difference(a[i], b[i]));
    found.differences.push_back(largest / row.deviation);
    if (describe(b).argmax == row.argmax) {
      ++*result.tokens_equal;
      continue;
    }
    if (!result.first_divergence) result.first_divergence = position;
    found.wrong_margin = std::max(found.wrong_margin, row.margin / row.deviation);
  }
  result.logit_median_rel = finite(median(found.differences));
  result.logit_max_rel =
      finite(*std::max_element(found.differences.begin(), found.differences.end()));
  return found;
}

// Another pass over all tokens without a cache, against the reference: per position the largest
// difference in deviations.
std::vector<double> KvRunner::differences_without_cache(Packing format, Probe* probe) {
  const Trace& want = reference(format).trace;
  std::optional<SingleRows> single_rows;
  if (probe == nullptr) single_rows.emplace(kernels_);
  KvCache cache(device_, config_, format, positions());
  Trace got = empty_trace();
  const auto logits = transformer_.forward_all(tokens_, cache, probe);
  got.logits.assign(logits.begin(), logits.end());
  KvResult ignored = start("control", {.positions = positions(), .actions = {}});
  return compare_logits(want, got, ignored).differences;
}

// What rounding alone does: the last logits of passes over the first tokens only, which are other sizes
// of batch; a pass through the rows for single tokens, which decoding uses and prompts may not; and
// passes with noise of the size of a few roundings. The latter because one code that flips moves logits a
// thousand times more than roundings do: a single pass may have no flip, and then knows nothing of them.
const KvRunner::Control& KvRunner::control(Packing format) {
  const auto found = controls_.find(format);
  if (found != controls_.end()) return found->second;
  std::vector<double> differences;
  for (std::uint32_t part = 1; part <= 8; ++part) {
    const std::uint32_t count = std::max(1u, positions() * part / 9);
    KvCache cache(device_, config_, format, count);
    const auto got = transformer_.forward_all(std::span(tokens_).first(count), cache)
                         .subspan(std::size_t{count - 1} * config_.vocab);
    const auto want = std::span(reference(format).trace.logits)
                          .subspan(std::size_t{count - 1} * config_.vocab, config_.vocab);
    double largest = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      largest = std::max(largest, difference(want[i], got[i]));
    }
    differences.push_back(largest / describe(want).deviation);
  }
  Control control{median(differences), *std::max_element(differences.begin(), differences.end())};
  const auto widen = [&](const std::vector<double>& more) {
    control.median = std::max(control.median, median(more));
    control.largest = std::max(control.largest, *std::max_element(more.begin(), more.end()));
  };
  widen(differences_without_cache(format, nullptr));
  for (std::uint64_t pass = 0; pass < kNoisyPasses; ++pass) {
    Noise noise(pass);
    widen(differences_without_cache(format, &noise));
  }
  return controls_.emplace(format, control).first->second;
}

// D.1: a token may differ where the margin is within twice the control's noise; the median
// difference must be of the control's size.
void KvRunner::judge_logits(const LogitComparison& found, const Control& noise,
                            KvResult& result) const {
  if (!std::isfinite(noise.median)) {
    fail(result, "logits_not_finite",
         "passes without a cache give logits that are all equal or NaN");
    return;
  }
  const double limit = 5 * noise.median + 1e-6;
  result.tolerance = {{"logit_median_rel", limit}, {"token_margin", 2 * noise.largest}};
  if (!(median(found.differences) <= limit)) {
    fail(result, "logits_differ", "the median difference is beyond that of passes without a cache");
  }
  if (found.wrong_margin > 2 * noise.largest) {
    fail(result, "tokens_differ",
         "another token at position " + std::to_string(*result.first_divergence) +
             " or later, where the margin is " + std::to_string(found.wrong_margin) +
             " deviations");
  }
}

}  // namespace rotor
