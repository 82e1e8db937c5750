// Gate: two builds, run in turns on one machine in one session, and a policy -> pass or fail with
// reasons (measuring-and-verifying, B.5). Nothing is run here; bench/gate.cpp does.
//
// What counts is the round: in each, a fresh process of either build times every case, in turns of a few
// milliseconds, and one number per case remains, the logarithm of B's time over A's. Turns cancel what
// comes and goes on the machine; what a process keeps to its end (where its memory lies) they cannot, so
// times of one round are never taken for independent ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/stats.h"
#include "reports/compare.h"

namespace rotor {

struct GateRules {
  std::uint32_t rounds = 10;  // at least 7: fewer have no exact interval
  double min_effect = 0.03;   // smaller slow-downs are never failed
  double confidence = 0.98;   // of the interval, two-sided: 99 % on the side that counts
  double false_share = 0.05;  // of false alarms among all alarms (Benjamini, Hochberg)
};

enum class GateVerdict : std::uint8_t {
  Same,          // the interval lies within the rule's least effect
  Improved,      // beyond it, faster
  Regressed,     // beyond it, slower, twice
  NotConfirmed,  // beyond it once, not again
  Inconclusive,
};
std::string_view verdict_name(GateVerdict verdict);  // "not confirmed"

// One case in one round: the least time of a launch in each slice. In every other turn B was asked
// before A, beginning with the first one if `b_first`.
struct GateRound {
  bool b_first = false;
  std::vector<double> a_s;        // [turns]
  std::vector<double> b_s;        // [turns]
  std::vector<double> control_s;  // [turns] of a copy of A, or empty
};

// Logarithm of `b` over `a`, taken in turns: the median of those in which a was first, and of those in
// which b was, and the mean of both, so that the order does not count, nor does drift.
double round_shift(const std::vector<double>& a, const std::vector<double>& b);

struct GateCase {
  std::string id;
  std::vector<GateRound> rounds;
  std::vector<GateRound> confirming;

  // From here on: what judge() makes of them. Shifts are logarithms of B over A.
  Shift shift;
  std::optional<Shift> confirmation;
  double control = 0;     // of the copy over A itself: what is there without any change
  double min_effect = 0;  // as it was applied: the rule's, or twice what all controls agree on
  double p = 1;           // of a slow-down by more than the least effect
  bool candidate = false;
  GateVerdict verdict = GateVerdict::Inconclusive;
};

struct Gate {
  GateRules rules;
  ReportComparison checks;  // coverage and correctness of B against A: its times are not used
  std::vector<GateCase> cases;
  double noise = 0;    // root mean square of the cases' controls
  bool noisy = false;  // a control was beyond the rule's least effect
  bool interrupted = false;
  double wall_s = 0;
  std::vector<std::string> notes;

  std::size_t count(GateVerdict verdict) const;
};

// Fills everything that follows from the rounds; again when there are more.
void judge(Gate& gate);

// 130 interrupted, 2 wrong results, 4 coverage, 1 a regression, 3 inconclusive if that was asked for.
int exit_code(const Gate& gate, bool fail_on_inconclusive);
std::string exit_reason(const Gate& gate);

Document document_of(const Gate& gate, int exit_code);   // reports/gate_text.cpp
std::string gate_json(const Gate& gate, int exit_code);  // reports/gate-2.schema.json

}  // namespace rotor
