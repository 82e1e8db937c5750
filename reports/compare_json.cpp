// A comparison as JSON: reports/comparison-1.schema.json.

#include "reports/compare.h"
#include "reports/json_values.h"

namespace rotor {
namespace {

Json side_json(const Side& side) {
  return {{"name", side.name},
          {"label", side.label},
          {"run", side.run_id},
          {"build", side.build},
          {"hw_key", hex_key(side.hw_key)},
          {"sw_key", hex_key(side.sw_key)},
          {"timed", side.timed}};
}

Json case_json(const ComparedCase& c) {
  return {{"id", c.spec.id},
          {"key", hex_key(case_key(c.spec))},
          {"device_a", c.device_a},
          {"device_b", c.device_b},
          {"a_ns", json_number(c.a_s * 1e9)},
          {"b_ns", json_number(c.b_s * 1e9)},
          {"speedup", json_number(c.speedup)},
          {"interval", {json_number(c.low), json_number(c.high)}},
          {"change", change_name(c.change)},
          {"share_a", json_number(c.share_a)},
          {"share_b", json_number(c.share_b)},
          {"explained", json_number(c.explained)}};
}

Json outcome_json(const OutcomeChange& c) {
  return {{"id", c.id},
          {"device", c.device},
          {"a", text_or_null(c.a)},
          {"b", text_or_null(c.b)},
          {"reason", text_or_null(c.reason)},
          {"lost", c.lost},
          {"wrong", c.wrong}};
}

Json winner_json(const WinnerDiffers& w) {
  return {{"n", w.n},           {"k", w.k},           {"batch", w.m},       {"hot", w.hot},
          {"best_a", w.best_a}, {"best_b", w.best_b}, {"loss_a", w.loss_a}, {"loss_b", w.loss_b}};
}

Json group_json(const Group& group) {
  return {{"name", group.name},
          {"cases", group.cases},
          {"speedup", json_number(group.speedup)},
          {"unexplained", json_number(group.unexplained)},
          {"portability", json_number(group.portability)}};
}

}  // namespace

std::string comparison_json(const ReportComparison& c) {
  const Json json = {
      {"format", {{"name", "rotor.comparison"}, {"version", "1.0.0"}}},
      {"rules", {{"min_effect", c.rules.min_effect}, {"confidence", c.rules.confidence}}},
      {"a", side_json(c.a)},
      {"b", side_json(c.b)},
      {"same_hardware", c.same_hardware},
      {"same_software", c.same_software},
      {"cases", json_list(c.cases, case_json)},
      {"outcomes", json_list(c.outcomes, outcome_json)},
      {"winners", json_list(c.winners, winner_json)},
      {"ranking_tau", json_number(c.ranking)},
      {"all", group_json(c.all)},
      {"variants", json_list(c.variants, group_json)},
      {"notes", c.notes},
      {"exit_code", exit_code(c)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace rotor
