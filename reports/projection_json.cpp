// A projection as JSON: reports/projection-1.schema.json.

#include "reports/json_values.h"
#include "reports/projection.h"

namespace rotor {
namespace {

Json case_json(const ProjectedCase& c) {
  return {{"case", c.spec.id},
          {"shape", {{"n", c.spec.n}, {"k", c.spec.k}, {"batch", c.spec.m}}},
          {"measured_ns", c.measured_s * 1e9},
          {"noisy", c.noisy},
          {"share", c.share},
          {"measured_limiter", c.measured_limiter},
          {"projected_limiter", c.time.limiter},
          {"projected_ns", {c.time.fast_s * 1e9, c.time.slow_s * 1e9}}};
}

Json tokens_json(const ProjectedTokens& t) {
  Json json = {{"head", t.head},
               {"bytes_per_token", t.bytes},
               {"ceiling_per_s", t.ceiling_per_s},
               {"projected_per_s", nullptr}};
  if (t.slow_per_s) {
    json["projected_per_s"] = {*t.slow_per_s, *t.fast_per_s};
    json["projected_limiter"] = t.limiter;
  }
  return json;
}

Json left_out_json(const LeftOutCase& c) {
  return {{"case", c.case_id}, {"why", c.why}};
}

Json figure_json(const ShownFigure& f) {
  return {{"what", f.what}, {"value", f.value}, {"known", f.known}, {"source", f.source}};
}

Json target_json(const ProjectedTarget& target) {
  return {{"id", target.hardware.id},
          {"name", target.hardware.name},
          {"figures", json_list(figures_of(target.hardware), figure_json)},
          {"model_share", target.model_share ? Json(*target.model_share) : Json(nullptr)},
          {"lacking", target.lacking},
          {"tokens", json_list(target.tokens, tokens_json)},
          {"cases", json_list(target.cases, case_json)},
          {"not_projected", json_list(target.left_out, left_out_json)}};
}

}  // namespace

std::string projection_json(const Projection& p) {
  const Json json = {{"format", {{"name", "rotor.projection"}, {"version", "1.0.0"}}},
                     {"kind", kProjection},
                     {"source",
                      {{"name", p.name},
                       {"label", p.label},
                       {"run", p.run_id},
                       {"device", p.device.id},
                       {"device_name", p.device.name}}},
                     {"model", p.hardware.model.name},
                     {"assumptions", p.assumptions},
                     {"sources", p.hardware.sources},
                     {"figures", json_list(figures_of(p.hardware), figure_json)},
                     {"targets", json_list(p.targets, target_json)},
                     {"not_projected", json_list(p.left_out, left_out_json)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace rotor
