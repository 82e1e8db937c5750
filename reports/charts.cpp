// The data of a page's charts. What they look like is said in page_*.js.

#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "reports/tables.h"

namespace rotor {
namespace {

using nlohmann::json;

// A number that JSON can hold, with the digits that a chart can show: the tables have them all.
json number(double value) {
  if (!std::isfinite(value) || value == 0) return nullptr;
  const double step = std::pow(10.0, std::floor(std::log10(std::fabs(value))) - 4);
  return std::round(value / step) * step;
}

// Best of each rate of a device; those of single threads are no roof of the whole.
json roofs_of(const Report& report, const std::string& device) {
  std::map<std::tuple<std::string, std::uint64_t>, const Roof*> best;
  for (const Roof& roof : report.roofs) {
    if (roof.device != device || roof.threads || roof.unit == "ns") continue;
    const Roof*& known = best[{roof.kind, roof.footprint_bytes.value_or(0)}];
    if (known == nullptr || roof.median > known->median) known = &roof;
  }
  json roofs = json::array();
  for (const auto& [key, roof] : best) {
    roofs.push_back({{"kind", roof->kind},
                     {"name", roof_name(*roof)},
                     {"footprint_bytes", roof->footprint_bytes.value_or(0)},
                     {"per_s", number(roof->median)}});
  }
  return roofs;
}

json case_of(const CaseResult& result, const Derived& derived, std::size_t index) {
  const Case& spec = result.spec;
  json point = {{"row", "case-" + std::to_string(index)},
                {"device", result.device},
                {"op", spec.op},
                {"variant", spec.variant},
                {"n", spec.n},
                {"k", spec.k},
                {"batch", spec.m},
                {"hot", spec.hot},
                {"median_s", number(derived.median_s)},
                {"ops_per_s", number(derived.ops_per_s)},
                {"ops_per_byte", number(derived.ops_per_s / derived.bytes_per_s)}};
  if (const auto& layers = spec.layers) {
    point["layers"] = layers->layers;
    point["position"] = layers->position;
  }
  if (derived.speedup) point["speedup"] = number(*derived.speedup);
  if (derived.share) point["share"] = number(*derived.share);
  if (derived.limit) point["limiter"] = limiter_name(derived.limit->limiter);
  if (derived.above_roof) point["above_roof"] = true;
  return point;
}

json kv_of(const KvTiming& timing, std::size_t index) {
  return {{"row", "kv-" + std::to_string(index)},
          {"model", timing.model},
          {"device", timing.device},
          {"format", timing.format},
          {"position", timing.position},
          {"with_s", number(timing.with_cache_s)},
          {"without_s", number(timing.without_cache_s)}};
}

}  // namespace

std::string chart_data(const Report& report) {
  json data = {{"devices", json::array()}, {"cases", json::array()}, {"kv", json::array()}};
  for (const DeviceFacts& device : report.devices) {
    data["devices"].push_back(
        {{"id", device.id}, {"name", device.name}, {"roofs", roofs_of(report, device.id)}});
  }
  const auto derived = derive(report);
  for (std::size_t i = 0; i < derived.size(); ++i) {
    if (derived[i]) data["cases"].push_back(case_of(report.results[i], *derived[i], i));
  }
  for (std::size_t i = 0; i < report.kv_timings.size(); ++i) {
    data["kv"].push_back(kv_of(report.kv_timings[i], i));
  }
  // Names come from drivers: what is not UTF-8 in them must not cost the page.
  return data.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace rotor
