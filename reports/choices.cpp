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

// Whether the chosen one's median may be as low as the other's. Too few samples tell nothing.
bool may_be_as_fast(const CaseResult& chosen, const CaseResult& other) {
  const auto ours = median_range(*chosen.measurement, kConfidence);
  const auto theirs = median_range(*other.measurement, kConfidence);
  return !ours || !theirs || ours->first <= theirs->second;
}

// The chosen result, and those of the places in `rivals`.
Standing standing_of(const Report& report, const AllDerived& derived, std::size_t chosen,
                     const std::vector<std::size_t>& rivals) {
  std::size_t fastest = chosen;
  for (const std::size_t rival : rivals) {
    if (derived[rival]->median_s < derived[fastest]->median_s) fastest = rival;
  }
  const CaseResult& ours = report.results[chosen];
  const CaseResult& best = report.results[fastest];
  return {&best, derived[chosen]->median_s / derived[fastest]->median_s - 1,
          fastest == chosen || may_be_as_fast(ours, best)};
}

struct Count {
  std::size_t good = 0;
  std::size_t all = 0;
};

template <typename Choices, typename Good>
Count count_of(const Choices& choices, Good good) {
  Count count;
  for (const Choice& choice : choices) {
    ++count.all;
    if (good(choice)) ++count.good;
  }
  return count;
}

std::string of_text(const Count& count) {
  return std::to_string(count.good) + " of " + std::to_string(count.all);
}

std::string behind_line(const Choice& choice, const Standing& standing) {
  const Case& spec = choice.chosen->spec;
  const std::string& packing = standing.fastest->packing;
  return "  " + std::to_string(spec.n) + " × " + std::to_string(spec.k) + ", batch " +
         std::to_string(spec.m) + ": " + show_percent(standing.behind) + " behind " +
         standing.fastest->spec.variant + (packing.empty() ? "" : " (" + packing + ")") + '\n';
}

std::string lines_behind(const std::vector<Choice>& choices, Standing Choice::*standing) {
  std::string lines;
  for (const Choice& choice : choices) {
    if (!(choice.*standing).within_noise) lines += behind_line(choice, choice.*standing);
  }
  return lines;
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
      if (rival.packing == chosen.packing) kin.push_back(j);
    }
    if (rivals.empty()) continue;
    choices.push_back(
        {&chosen, standing_of(report, derived, i, kin), standing_of(report, derived, i, rivals)});
  }
  return choices;
}

std::string choices_text(const Report& report, const AllDerived& derived) {
  const std::vector<Choice> choices = choices_of(report, derived);
  if (choices.empty()) return "";
  const Count kin = count_of(choices, [](const Choice& c) { return c.in_packing.within_noise; });
  const Count all = count_of(choices, [](const Choice& c) { return c.overall.within_noise; });
  std::vector<Choice> single;
  std::copy_if(choices.begin(), choices.end(), std::back_inserter(single),
               [](const Choice& c) { return c.chosen->spec.m == 1; });
  const Count one = count_of(single, [](const Choice& c) { return c.overall.within_noise; });
  std::string text =
      "\nA matrix lies in one packing for all batches. Of its packing, what the runtime takes (←) "
      "is "
      "the fastest,\nor within noise of it, for " +
      of_text(kin) + " shapes and batches.\n" + lines_behind(choices, &Choice::in_packing) +
      "Of all packings it is that for " + of_text(all) + " shapes and batches";
  if (one.all > 0) text += ", for " + of_text(one) + " with single tokens";
  return text + ".\n" + lines_behind(choices, &Choice::overall);
}

}  // namespace rotor
