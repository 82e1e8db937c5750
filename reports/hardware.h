// What hardware that nobody measured could do by its data sheet: reports/reference/hardware.json,
// which tells of each figure where it is from and how well it is known. Only projections use it; the
// limits of a device that runs rotor are measured.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rotor {

struct SourcedFigure {
  double value = 0;
  std::string known;  // "verified or computed", "one source", "general knowledge"
  std::string source;
};
struct SourcedRange {
  double low = 0;
  double high = 0;
  std::string known;
  std::string source;
};

// A GPU that shares the bus with its CPU.
struct TargetHardware {
  std::string id;  // "steam-deck-lcd"
  std::string name;
  SourcedFigure bus_bytes_per_s;      // theoretical
  SourcedRange lane_ops_per_s;        // 32-bit operations of all lanes, by clock
  SourcedFigure unpack_ops_per_trit;  // from two bits to an operand
  SourcedFigure ops_per_product;      // a multiply-add of int8
  struct Without {
    std::string kernel;  // part of the names of kernels that do not suit it
    std::string why;
  };
  std::vector<Without> without;
};

struct ModelTraffic {
  std::string name;
  SourcedFigure trits;
  SourcedFigure ternary_bytes;
  SourcedFigure norm_bytes;
  SourcedFigure cache_bytes_per_position;
  SourcedRange launches_per_token;
  struct Product {
    std::uint32_t n = 0;
    std::uint32_t k = 0;
  };
  std::vector<Product> products;  // of one layer
  struct Head {
    std::string name;  // "Q6_K"
    SourcedFigure bytes;
  };
  std::vector<Head> heads;
};

struct HardwareTable {
  std::string sources;     // what the sources of its figures are
  SourcedRange bus_reach;  // share of the theoretical bus that plain reading gets
  std::vector<TargetHardware> targets;
  ModelTraffic model;
};

// Holds the text against reports/hardware-1.schema.json first. `name` appears in messages. Throws
// FormatError.
HardwareTable read_hardware(std::string_view text, const std::string& name);
HardwareTable built_in_hardware();

// A figure as people read it (reports/hardware_text.cpp).
struct ShownFigure {
  std::string what;
  std::string value;
  std::string known;
  std::string source;
};
std::vector<ShownFigure> figures_of(const TargetHardware& target);
// Those that all targets share: the reach of the bus, the model.
std::vector<ShownFigure> figures_of(const HardwareTable& table);

}  // namespace rotor
