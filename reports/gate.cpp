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
constexpr double kControlConfidence = 0.75;

std::vector<double> shifts(const std::vector<GateRound>& rounds,
                           std::vector<double> GateRound::*b) {
  std::vector<double> out;
  for (const GateRound& round : rounds) {
    if (!(round.*b).empty()) out.push_back(round_shift(round.a_s, round.*b));
  }
  return out;
}

// The noise floor: the rule's least effect and no less, twice a case's own control where that is more.
// Noise of rounds is in their interval; the control counts as far as it is the same in all of its rounds,
// for that is what no interval knows of.
void judge_noise(Gate& gate) {
  double squares = 0;
  std::size_t controls = 0;
  const double rule = std::log1p(gate.rules.min_effect);
  gate.noisy = false;
  for (GateCase& c : gate.cases) {
    c.min_effect = rule;
    const std::vector<double> d = shifts(c.rounds, &GateRound::control_s);
    if (d.empty()) continue;
    // The control's extremes where it has four rounds: what all of them agree on.
    const Shift control = signed_rank_shift(d, kControlConfidence);
    c.control = control.estimate;
    c.min_effect = std::max({rule, 2 * control.low, -2 * control.high});
    gate.noisy |= std::fabs(c.control) > rule;
    squares += c.control * c.control;
    ++controls;
  }
  gate.noise = controls > 0 ? std::sqrt(squares / static_cast<double>(controls)) : 0;
}

GateVerdict verdict_of(const Gate& gate, const GateCase& c, const std::vector<double>& d) {
  const double effect = c.min_effect;
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

double round_shift(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> even;
  std::vector<double> odd;
  for (std::size_t turn = 0; turn < std::min(a.size(), b.size()); ++turn) {
    (turn % 2 == 0 ? even : odd).push_back(std::log(b[turn] / a[turn]));
  }
  return odd.empty() ? median(even) : (median(even) + median(odd)) / 2;
}

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
    const std::vector<double> d = shifts(c.rounds, &GateRound::b_s);
    if (!d.empty()) c.shift = signed_rank_shift(d, gate.rules.confidence);
    c.p = d.empty() ? 1 : signed_rank_p(d, c.min_effect);
    p.push_back(c.p);
  }
  const std::vector<bool> significant = benjamini_hochberg(p, gate.rules.false_share);
  for (std::size_t i = 0; i < gate.cases.size(); ++i) {
    GateCase& c = gate.cases[i];
    const std::vector<double> d = shifts(c.rounds, &GateRound::b_s);
    if (d.empty()) continue;
    c.candidate = c.shift.low > c.min_effect && significant[i];
    const std::vector<double> again = shifts(c.confirming, &GateRound::b_s);
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
