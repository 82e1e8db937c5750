#include "reports/tables.h"

#include <algorithm>

#include "reports/text.h"

namespace rotor {

std::string roof_name(const Roof& roof) {
  static const std::map<std::string, std::string> names = {
      {"read_bw", "reading"},           {"copy_bw", "copying"},
      {"int8_dot", "int8 products"},    {"int32_mad", "int32 products"},
      {"int8_matrix", "int8 matrices"}, {"fp16_fma", "FP16 products"},
      {"fp32_fma", "FP32 products"},    {"launch_latency", "launching"},
      {"h2d_bw", "copying to it"},      {"d2h_bw", "copying from it"}};
  const auto found = names.find(roof.kind);
  std::string what = found == names.end() ? roof.kind : found->second;
  if (roof.footprint_bytes) what += ' ' + show_bytes(*roof.footprint_bytes);
  if (roof.threads) what += ", " + count_of(*roof.threads, "thread");
  return what;
}

namespace {

Cell shown(const Roof& roof, double value) {
  if (roof.unit == "ns") return {show_seconds(value * 1e-9, 3), value};
  return {show_number(value * 1e-9, 4) + (roof.unit == "ops/s" ? " GOP/s" : " GB/s"), value};
}

}  // namespace

TextTable roof_table(const Report& report) {
  TextTable table;
  table.title = "What the devices can do at best";
  table.columns = {{"device"}, {"limit"}, {"best", true}, {"least", true}, {"measured", true}};
  std::map<std::pair<std::string, std::string>, std::size_t> seen;  // -> row
  std::vector<std::vector<const Roof*>> rows;
  for (const Roof& roof : report.roofs) {
    const auto [found, fresh] = seen.try_emplace({roof.device, roof_name(roof)}, rows.size());
    if (fresh) rows.emplace_back();
    rows[found->second].push_back(&roof);
  }
  for (const auto& roofs : rows) {
    const auto [low, high] =
        std::minmax_element(roofs.begin(), roofs.end(), [](const Roof* a, const Roof* b) {
          return a->unit == "ns" ? a->median > b->median : a->median < b->median;
        });
    const std::size_t times = roofs.size();
    table.rows.push_back({roofs[0]->device,
                          roof_name(*roofs[0]),
                          shown(**high, (*high)->median),
                          shown(**low, (*low)->median),
                          {std::to_string(times) + "×", static_cast<double>(times)}});
  }
  return table;
}

}  // namespace rotor
