#include "reports/choices.h"

#include <tuple>

#include "reports/text.h"

namespace rotor {
namespace {

// Cases that one and the same product could be.
auto place_of(const CaseResult& r) {
  return std::tie(r.device, r.spec.op, r.spec.n, r.spec.k, r.spec.m);
}

double fewest_seconds(const Derived& d) {
  return d.median_s * (1 - d.uncertainty);
}
double most_seconds(const Derived& d) {
  return d.median_s * (1 + d.uncertainty);
}

}  // namespace

std::vector<Choice> choices_of(const Report& report,
                               const std::vector<std::optional<Derived>>& derived) {
  std::vector<Choice> choices;
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const CaseResult& chosen = report.results[i];
    if (!chosen.chosen || chosen.spec.hot || !derived[i]) continue;
    std::size_t fastest = i, rivals = 0;
    for (std::size_t j = 0; j < report.results.size(); ++j) {
      const CaseResult& rival = report.results[j];
      if (j == i || rival.spec.hot || !derived[j] || place_of(rival) != place_of(chosen)) continue;
      ++rivals;
      if (derived[j]->median_s < derived[fastest]->median_s) fastest = j;
    }
    if (rivals == 0) continue;
    choices.push_back({&chosen, &report.results[fastest],
                       derived[i]->median_s / derived[fastest]->median_s - 1,
                       fewest_seconds(*derived[i]) <= most_seconds(*derived[fastest])});
  }
  return choices;
}

std::string choices_text(const Report& report, const std::vector<std::optional<Derived>>& derived) {
  const std::vector<Choice> choices = choices_of(report, derived);
  if (choices.empty()) return "";
  std::size_t good = 0;
  std::string lines;
  for (const Choice& choice : choices) {
    if (choice.within_noise) {
      ++good;
      continue;
    }
    const Case& spec = choice.chosen->spec;
    lines += "  " + std::to_string(spec.n) + " × " + std::to_string(spec.k) + ", batch " +
             std::to_string(spec.m) + ": " + show_percent(choice.behind) + " behind " +
             choice.fastest->spec.variant + '\n';
  }
  return "\nWhat the runtime takes (←) is the fastest, or within noise of it, for " +
         std::to_string(good) + " of " + std::to_string(choices.size()) + " shapes and batches.\n" +
         lines;
}

}  // namespace rotor
