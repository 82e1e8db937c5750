#include "reports/choices.h"

#include <algorithm>
#include <tuple>

#include "reports/compare.h"
#include "reports/text.h"

namespace rotor {
namespace {

using AllDerived = std::vector<std::optional<Derived>>;

constexpr double kConfidence = 0.95;

// Cases that one and the same product could be.
auto place_of(const CaseResult& r) {
  return std::tie(r.device, r.spec.op, r.spec.n, r.spec.k, r.spec.m);
}

// The chosen result, and those of the places in `rivals`. A rival that is surely faster counts before one
// whose median is smaller, but uncertain.
Standing standing_of(const Report& report, const AllDerived& derived, std::size_t chosen,
                     const std::vector<std::size_t>& rivals) {
  const auto median_s = [&](std::size_t i) { return derived[i]->median_s; };
  const auto range = [&](std::size_t i) {
    return median_range(*report.results[i].measurement, kConfidence);
  };
  const auto ours = range(chosen);
  std::size_t fastest = chosen;
  bool is_known = true;
  bool is_surely_behind = false;
  for (const std::size_t rival : rivals) {
    if (median_s(rival) >= median_s(chosen)) continue;
    const auto theirs = range(rival);
    is_known &= ours && theirs;
    const bool surely = ours && theirs && theirs->second < ours->first;
    if (surely < is_surely_behind) continue;
    if (surely > is_surely_behind || median_s(rival) < median_s(fastest)) fastest = rival;
    is_surely_behind = surely;
  }
  return {.fastest = &report.results[fastest],
          .behind = median_s(chosen) / median_s(fastest) - 1,
          .within_noise = is_known && !is_surely_behind,
          .is_known = is_known || is_surely_behind};
}

// Good ones among those that can be told.
class Count {
 public:
  void add(const Standing& standing) {
    if (!standing.is_known) return void(++unknown_);
    ++known_;
    if (standing.within_noise) ++good_;
  }
  std::size_t all() const { return known_ + unknown_; }
  std::string text() const {
    const std::string few = "; too few samples for " + std::to_string(unknown_) + " more";
    return std::to_string(good_) + " of " + std::to_string(known_) + " shapes and batches" +
           (unknown_ > 0 ? few : "");
  }

 private:
  std::size_t good_ = 0;
  std::size_t known_ = 0;
  std::size_t unknown_ = 0;
};

// A line, if the choice is behind.
std::string behind_line(const Choice& choice, const Standing& standing) {
  if (standing.is_known && standing.within_noise) return "";
  const Case& spec = choice.chosen->spec;
  const std::string& packing = standing.fastest->packing;
  return "  " + std::to_string(spec.n) + " × " + std::to_string(spec.k) + ", batch " +
         std::to_string(spec.m) + ": " + show_percent(standing.behind) + " behind " +
         standing.fastest->spec.variant + (packing.empty() ? "" : " (" + packing + ")") +
         (standing.is_known ? "" : ", as far as few samples tell") + '\n';
}

}  // namespace

std::vector<Choice> choices_of(const Report& report, const AllDerived& derived) {
  std::vector<Choice> choices;
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const CaseResult& chosen = report.results[i];
    if (!chosen.chosen || chosen.spec.hot || !derived[i]) continue;
    std::vector<std::size_t> rivals, kin;
    for (std::size_t j = 0; j < report.results.size(); ++j) {
      const CaseResult& rival = report.results[j];
      if (j == i || rival.spec.hot || !derived[j] || place_of(rival) != place_of(chosen)) continue;
      rivals.push_back(j);
      if (!chosen.packing.empty() && rival.packing == chosen.packing) kin.push_back(j);
    }
    if (rivals.empty()) continue;
    Choice choice{.chosen = &chosen, .overall = standing_of(report, derived, i, rivals)};
    if (!kin.empty()) choice.in_packing = standing_of(report, derived, i, kin);
    choices.push_back(choice);
  }
  return choices;
}

std::string choices_text(const Report& report, const AllDerived& derived) {
  const std::vector<Choice> choices = choices_of(report, derived);
  if (choices.empty()) return "";
  Count kin, all, single;
  std::string behind_kin, behind_all;
  for (const Choice& choice : choices) {
    all.add(choice.overall);
    behind_all += behind_line(choice, choice.overall);
    if (choice.chosen->spec.m == 1) single.add(choice.overall);
    if (!choice.in_packing) continue;
    kin.add(*choice.in_packing);
    behind_kin += behind_line(choice, *choice.in_packing);
  }
  std::string text = "\nWhat the runtime takes (←) is the fastest, or within noise of it:\n";
  if (kin.all() > 0) {
    text += "of its packing, which a matrix has for all batches, for " + kin.text() + ".\n" +
            behind_kin;
  }
  text += "Of all packings for " + all.text();
  if (single.all() > 0) text += "; with single tokens for " + single.text();
  return text + ".\n" + behind_all;
}

}  // namespace rotor
