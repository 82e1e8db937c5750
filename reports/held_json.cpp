// A run held against published figures, as JSON: reports/held-1.schema.json.

#include "reports/json_values.h"
#include "reports/published.h"

namespace rotor {
namespace {

Json kernel_json(const HeldKernel& k) {
  return {{"case", k.case_id},
          {"device", k.device},
          {"device_name", k.device_name},
          {"software", k.software},
          {"ns", k.seconds * 1e9},
          {"interval_ns", {k.low * 1e9, k.high * 1e9}},
          {"kernels", k.kernels}};
}

Json product_json(const HeldProduct& p) {
  return {{"backend", p.published.backend},
          {"shape", {{"n", p.published.n}, {"k", p.published.k}, {"batch", p.published.m}}},
          {"run", p.published.run},
          {"published_ns", p.published.seconds * 1e9},
          {"status", kNotMeasured},
          {"mine", p.mine ? kernel_json(*p.mine) : Json(nullptr)},
          {"ratio", p.mine ? Json(p.published.seconds / p.mine->seconds) : Json(nullptr)},
          {"lacking", p.lacking.empty() ? Json(nullptr) : Json(p.lacking)}};
}

Json gain_json(const HeldGain& g) {
  return {{"model", g.model},
          {"device", g.device},
          {"position", g.position},
          {"ratio", g.without_cache_s / g.with_cache_s},
          {"published_tokens", g.published.tokens},
          {"published_ratio", g.published.without_cache_s / g.published.with_cache_s}};
}

}  // namespace

std::string held_json(const HeldAgainst& held) {
  Json products = Json::array();
  for (const HeldProduct& p : held.products) products.push_back(product_json(p));
  Json gains = Json::array();
  for (const HeldGain& g : held.gains) gains.push_back(gain_json(g));
  const Json json = {{"format", {{"name", "rotor.held"}, {"version", "1.0.0"}}},
                     {"a",
                      {{"name", held.name},
                       {"machine", held.published.machine},
                       {"source", held.published.source},
                       {"kind", "published"},
                       {"notes", held.published.notes}}},
                     {"b",
                      {{"name", held.mine_name},
                       {"label", held.mine_label},
                       {"run", held.mine_run},
                       {"kind", "measured"}}},
                     {"products", products},
                     {"cache_gains", gains},
                     {"wrong", held.wrong},
                     {"exit_code", exit_code(held)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace rotor
