// The figures of a hardware table as people read them.

#include "reports/hardware.h"
#include "reports/text.h"

namespace rotor {
namespace {

std::string giga(double value) {
  return show_number(value * 1e-9);
}
std::string mega(const SourcedFigure& bytes) {
  return show_number(bytes.value * 1e-6) + " MB";
}

ShownFigure shown(const std::string& what, const std::string& value, const SourcedFigure& figure) {
  return {what, value, figure.known, figure.source};
}
ShownFigure shown(const std::string& what, const std::string& low, const std::string& high,
                  const SourcedRange& range) {
  return {what, low + " to " + high, range.known, range.source};
}

}  // namespace

std::vector<ShownFigure> figures_of(const TargetHardware& t) {
  const SourcedRange& lanes = t.lane_ops_per_s;
  std::vector<ShownFigure> figures = {
      shown("theoretical bus", giga(t.bus_bytes_per_s.value) + " GB/s", t.bus_bytes_per_s),
      shown("operations of all lanes", giga(lanes.low), giga(lanes.high) + " G/s", lanes),
      shown("operations to unpack a trit", show_number(t.unpack_ops_per_trit.value, 3),
            t.unpack_ops_per_trit),
      shown("operations to multiply and add", show_number(t.ops_per_product.value, 3),
            t.ops_per_product)};
  for (const TargetHardware::Without& w : t.without) {
    figures.push_back({"kernels left out", "*" + w.kernel + "*", "", w.why});
  }
  return figures;
}

std::vector<ShownFigure> figures_of(const HardwareTable& table) {
  const ModelTraffic& m = table.model;
  const SourcedRange& reach = table.bus_reach;
  std::vector<ShownFigure> figures = {
      shown("of the bus that reading reaches", show_percent(reach.low), show_percent(reach.high),
            reach),
      shown("trits of the model", show_number(m.trits.value * 1e-6) + " million", m.trits),
      shown("ternary weights", mega(m.ternary_bytes), m.ternary_bytes),
      shown("norms", mega(m.norm_bytes), m.norm_bytes),
      shown("KV cache, a position", show_number(m.cache_bytes_per_position.value * 1e-3, 3) + " kB",
            m.cache_bytes_per_position),
      shown("launches per token", show_number(m.launches_per_token.low, 3),
            show_number(m.launches_per_token.high, 3), m.launches_per_token)};
  for (const ModelTraffic::Head& head : m.heads) {
    figures.push_back(shown("head in " + head.name, mega(head.bytes), head.bytes));
  }
  return figures;
}

}  // namespace rotor
