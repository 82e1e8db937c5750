#include "reports/gate.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "reports/text.h"

namespace rotor {
namespace {

// B is the same as A where an interval of this confidence lies within the rule's least effect: two
// one-sided tests at 5 %. Noise widens what may fail, never what may be called the same.
constexpr double kSameConfidence = 0.90;

std::vector<double> differences(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> logs;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    logs.push_back(std::log(b[i] / a[i]));
  }
  return logs;
}

// The noise floor. The rule's least effect and no less; twice the noise where that is more.
void judge_noise(Gate& gate) {
  double squares = 0;
  std::size_t controls = 0;
  const double rule = std::log1p(gate.rules.min_effect);
  gate.noisy = false;
  for (GateCase& c : gate.cases) {
    const std::vector<double> d = differences(c.a_s, c.control_s);
    if (d.empty()) continue;
    c.control = signed_rank_shift(d, 0.5).estimate;
    gate.noisy |= std::fabs(c.control) > rule;
    squares += c.control * c.control;
    ++controls;
  }
  gate.noise = controls > 0 ? std::sqrt(squares / static_cast<double>(controls)) : 0;
  gate.min_effect = std::max(rule, 2 * gate.noise);
}

GateVerdict verdict_of(const Gate& gate, const GateCase& c, const std::vector<double>& d) {
  const double effect = gate.min_effect;
  if (c.candidate && c.confirmation) {
    return c.confirmation->low > effect ? GateVerdict::Regressed : GateVerdict::NotConfirmed;
  }
  if (c.shift.high < -effect) return GateVerdict::Improved;
  const Shift narrow = signed_rank_shift(d, kSameConfidence);
  const double rule = std::log1p(gate.rules.min_effect);
  const bool same = narrow.low > -rule && narrow.high < rule;
  return same && !c.candidate ? GateVerdict::Same : GateVerdict::Inconclusive;
}

}  // namespace

std::string_view verdict_name(GateVerdict verdict) {
  static constexpr std::string_view kNames[] = {"same", "improved", "regressed", "not confirmed",
                                                "inconclusive"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::size_t Gate::count(GateVerdict verdict) const {
  return static_cast<std::size_t>(std::count_if(
      cases.begin(), cases.end(), [&](const GateCase& c) { return c.verdict == verdict; }));
}

void judge(Gate& gate) {
  judge_noise(gate);
  std::vector<double> p;
  for (GateCase& c : gate.cases) {
    const std::vector<double> d = differences(c.a_s, c.b_s);
    if (!d.empty()) c.shift = signed_rank_shift(d, gate.rules.confidence);
    c.p = d.empty() ? 1 : signed_rank_p(d, gate.min_effect);
    p.push_back(c.p);
  }
  const std::vector<bool> significant = benjamini_hochberg(p, gate.rules.false_share);
  for (std::size_t i = 0; i < gate.cases.size(); ++i) {
    GateCase& c = gate.cases[i];
    const std::vector<double> d = differences(c.a_s, c.b_s);
    if (d.empty()) continue;
    c.candidate = c.shift.low > gate.min_effect && significant[i];
    const std::vector<double> again = differences(c.confirm_a_s, c.confirm_b_s);
    c.confirmation.reset();
    if (!again.empty()) c.confirmation = signed_rank_shift(again, gate.rules.confidence);
    c.verdict = verdict_of(gate, c, d);
  }
}

int exit_code(const Gate& gate, bool fail_on_inconclusive) {
  if (gate.interrupted) return kExitInterrupted;
  if (const int checks = exit_code(gate.checks); checks != kExitOk) return checks;
  if (gate.count(GateVerdict::Regressed) > 0) return kExitRegression;
  const bool open = gate.count(GateVerdict::Inconclusive) > 0;
  return open && fail_on_inconclusive ? kExitInconclusive : kExitOk;
}

std::string exit_reason(const Gate& gate) {
  if (gate.interrupted) return "interrupted";
  if (gate.checks.wrong() > 0) return count_of(gate.checks.wrong(), "check") + " wrong in B";
  if (gate.checks.lost() > 0) {
    return "coverage shrank: " + count_of(gate.checks.lost(), "check") + " of A not run in B";
  }
  std::string slower;
  for (const GateCase& c : gate.cases) {
    if (c.verdict == GateVerdict::Regressed) slower += (slower.empty() ? "" : ", ") + c.id;
  }
  if (!slower.empty()) return "confirmed slower: " + slower;
  const std::size_t open = gate.count(GateVerdict::Inconclusive);
  if (open > 0)
    return "NOT DECIDED for " + count_of(open, "case") + ": too noisy, or too few rounds";
  return "no regression";
}

}  // namespace rotor
