// A gate's outcome as tables and as JSON.

#include <algorithm>
#include <cmath>

#include "reports/gate.h"
#include "reports/json_values.h"
#include "reports/text.h"

namespace rotor {
namespace {

// A shift in logarithms as a change in percent.
Cell change(double shift) {
  if (!std::isfinite(shift)) return "-";
  const double share = std::expm1(shift);
  char text[32];
  std::snprintf(text, sizeof text, "%+.1f%%", 100 * share);
  return {text, share};
}

std::string interval(const Shift& shift) {
  return change(shift.low).text + " to " + change(shift.high).text;
}

// Median of its rounds' medians.
double time_of_a(const GateCase& c) {
  std::vector<double> medians;
  for (const GateRound& round : c.rounds) medians.push_back(median(round.a_s));
  return median(medians);
}

TextTable cases_table(const Gate& gate) {
  TextTable table;
  table.title = "B against A";
  table.columns = {{"case"}, {"A", true}, {"B/A", true}, {"interval"}, {"A/A", true}, {"B is"}};
  for (const GateCase& c : gate.cases) {
    if (c.rounds.empty()) continue;
    const double a = time_of_a(c);
    table.rows.push_back({c.id,
                          {show_seconds(a, 3), a},
                          change(c.shift.estimate),
                          interval(c.shift),
                          change(c.control),
                          std::string(verdict_name(c.verdict))});
  }
  table.note =
      "B/A above 0: B is slower. A/A: a copy of A against A, what is there without any change.";
  return table;
}

TextTable confirmations_table(const Gate& gate) {
  TextTable table;
  table.title = "Looked at again in fresh processes";
  table.columns = {{"case"}, {"first", true}, {"again", true}, {"interval"}, {"B is"}};
  for (const GateCase& c : gate.cases) {
    if (!c.confirmation) continue;
    table.rows.push_back({c.id, change(c.shift.estimate), change(c.confirmation->estimate),
                          interval(*c.confirmation), std::string(verdict_name(c.verdict))});
  }
  return table;
}

TextTable checks_table(const Gate& gate) {
  TextTable table;
  table.title = "Checks that ended differently";
  table.columns = {{"check"}, {"A"}, {"B"}, {"says"}};
  for (const OutcomeChange& c : gate.checks.outcomes) {
    table.rows.push_back({c.id, c.a.empty() ? "absent" : c.a, c.b.empty() ? "absent" : c.b,
                          c.wrong  ? "wrong: " + c.reason
                          : c.lost ? "lost: " + c.reason
                                   : c.reason});
  }
  return table;
}

Json shift_json(const Shift& shift) {
  return {{"estimate", json_number(shift.estimate)},
          {"low", json_number(shift.low)},
          {"high", json_number(shift.high)}};
}

Json rounds_json(const std::vector<GateRound>& rounds) {
  Json out = Json::array();
  for (const GateRound& round : rounds) {
    out.push_back({{"b_first", round.b_first},
                   {"shift", round_shift(round.a_s, round.b_s)},
                   {"a_ns", json_list(round.a_s, as_nanoseconds)},
                   {"b_ns", json_list(round.b_s, as_nanoseconds)},
                   {"control_ns", json_list(round.control_s, as_nanoseconds)}});
  }
  return out;
}

Json case_json(const GateCase& c) {
  return {{"id", c.id},
          {"verdict", verdict_name(c.verdict)},
          {"shift", shift_json(c.shift)},
          {"confirmation", c.confirmation ? shift_json(*c.confirmation) : Json(nullptr)},
          {"control", c.control},
          {"min_effect", c.min_effect},
          {"p", c.p},
          {"rounds", rounds_json(c.rounds)},
          {"confirming", rounds_json(c.confirming)}};
}

Json outcome_json(const OutcomeChange& c) {
  return {{"id", c.id},         {"a", c.a},       {"b", c.b},
          {"reason", c.reason}, {"lost", c.lost}, {"wrong", c.wrong}};
}

}  // namespace

Document document_of(const Gate& gate, int code) {
  Document document;
  document.title = "Gate: two builds in turns";
  document.lines = {"A  " + gate.checks.a.name + " · " + gate.checks.a.build,
                    "B  " + gate.checks.b.name + " · " + gate.checks.b.build, gate.checks.a.label};
  for (const std::string& note : gate.notes) document.lines.push_back(note);
  document.tables = {checks_table(gate), cases_table(gate), confirmations_table(gate)};
  double effect = std::log1p(gate.rules.min_effect);
  for (const GateCase& c : gate.cases) effect = std::max(effect, c.min_effect);
  document.closing = {"noise floor (A/A) " + change(gate.noise).text +
                          (gate.noisy ? ", a noisy session" : "") + "; least effect that counts " +
                          change(std::log1p(gate.rules.min_effect)).text +
                          (effect > std::log1p(gate.rules.min_effect)
                               ? ", up to " + change(effect).text + " where A/A is large"
                               : "") +
                          "; " + show_number(gate.wall_s, 3) + " s",
                      "exit " + std::to_string(code) + "  " + exit_reason(gate)};
  return document;
}

std::string gate_json(const Gate& gate, int code) {
  Json cases = Json::array();
  for (const GateCase& c : gate.cases) cases.push_back(case_json(c));
  Json outcomes = Json::array();
  for (const OutcomeChange& c : gate.checks.outcomes) outcomes.push_back(outcome_json(c));
  const Json json = {
      {"format", {{"name", "rotor.gate"}, {"version", "2.0.0"}}},
      {"rules",
       {{"rounds", gate.rules.rounds},
        {"min_effect", gate.rules.min_effect},
        {"confidence", gate.rules.confidence},
        {"false_share", gate.rules.false_share}}},
      {"a", {{"program", gate.checks.a.name}, {"build", gate.checks.a.build}}},
      {"b", {{"program", gate.checks.b.name}, {"build", gate.checks.b.build}}},
      {"machine", {{"label", gate.checks.b.label}, {"hw_key", hex_key(gate.checks.b.hw_key)}}},
      {"noise", gate.noise},
      {"noisy", gate.noisy},
      {"cases", cases},
      {"outcomes", outcomes},
      {"notes", gate.notes},
      {"wall_s", gate.wall_s},
      {"exit_code", code},
      {"exit_reason", exit_reason(gate)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace rotor
