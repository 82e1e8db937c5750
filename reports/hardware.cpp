#include "reports/hardware.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "hardware_schema_text.h"
#include "hardware_table_text.h"
#include "reports/schema.h"

namespace rotor {
namespace {

using Json = nlohmann::json;

SourcedFigure read_figure(const Json& in) {
  return {in.at("value").get<double>(), in.at("known").get<std::string>(),
          in.at("source").get<std::string>()};
}

SourcedRange read_range(const Json& in) {
  const SourcedRange range{in.at("low").get<double>(), in.at("high").get<double>(),
                           in.at("known").get<std::string>(), in.at("source").get<std::string>()};
  if (range.low > range.high) {
    throw FormatError("a range has \"low\" above \"high\" (" + range.source + ")");
  }
  return range;
}

TargetHardware read_target(const Json& in) {
  TargetHardware target{in.at("id").get<std::string>(),
                        in.at("name").get<std::string>(),
                        read_figure(in.at("bus_bytes_per_s")),
                        read_range(in.at("lane_ops_per_s")),
                        read_figure(in.at("unpack_ops_per_trit")),
                        read_figure(in.at("ops_per_product")),
                        {}};
  for (const Json& w : in.at("without")) {
    target.without.push_back({w.at("kernel").get<std::string>(), w.at("why").get<std::string>()});
  }
  return target;
}

ModelTraffic read_model(const Json& in) {
  ModelTraffic model{in.at("name").get<std::string>(),
                     read_figure(in.at("trits")),
                     read_figure(in.at("ternary_bytes")),
                     read_figure(in.at("norm_bytes")),
                     read_figure(in.at("cache_bytes_per_position")),
                     read_range(in.at("launches_per_token")),
                     {},
                     {}};
  for (const Json& p : in.at("products")) {
    model.products.push_back({p.at("n").get<std::uint32_t>(), p.at("k").get<std::uint32_t>()});
  }
  for (const Json& h : in.at("heads")) {
    model.heads.push_back({h.at("name").get<std::string>(), read_figure(h.at("bytes"))});
  }
  return model;
}

HardwareTable read_table(const Json& in) {
  HardwareTable table;
  table.sources = in.at("sources").get<std::string>();
  table.bus_reach = read_range(in.at("bus_reach"));
  if (table.bus_reach.high > 1) throw FormatError("\"bus_reach\" is above 1: it is a share");
  for (const Json& target : in.at("targets")) {
    table.targets.push_back(read_target(target));
    const std::string& id = table.targets.back().id;
    const auto same = [&](const TargetHardware& t) { return t.id == id; };
    if (std::count_if(table.targets.begin(), table.targets.end(), same) > 1) {
      throw FormatError("the target \"" + id + "\" is there twice");
    }
  }
  table.model = read_model(in.at("model"));
  return table;
}

}  // namespace

HardwareTable read_hardware(std::string_view text, const std::string& name) {
  try {
    const std::vector<std::string> violations = schema_violations(kHardwareSchemaText, text);
    if (!violations.empty()) throw FormatError("is no hardware table: " + violations.front());
    return read_table(Json::parse(text));
  } catch (const FormatError& error) {
    throw FormatError(name + ": " + error.what());
  }
}

HardwareTable built_in_hardware() {
  return read_hardware(kHardwareTableText, "the built-in hardware table");
}

}  // namespace rotor
