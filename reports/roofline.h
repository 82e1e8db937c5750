// Roofline: the least time in which a device could do the work of a case, from limits that were
// measured in the same run with the same clock (Williams, Waterman, Patterson: "Roofline", 2009; with
// the cost of a launch added, and the bandwidth taken at the footprint of the case).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace rotor {

// One measured limit of a device.
struct Roof {
  std::string device;
  std::string kind;  // read_bw, int8_dot, ...: the schema's list
  std::optional<std::uint64_t> footprint_bytes;
  std::string at;  // start, middle, end
  double median = 0;
  std::string unit;  // "bytes/s", "ops/s", "ns"
  std::vector<double> samples;
  std::optional<unsigned> threads;  // of the CPU's, where not all took part
};

enum class Limiter : std::uint8_t { Memory, Compute, Launch };
std::string_view limiter_name(Limiter limiter);  // "memory"
std::optional<Limiter> parse_limiter(std::string_view name);

// launch + max(bytes / bandwidth, operations / rate), and which of the three is largest. The
// bandwidth is that of the case's footprint: all rotated copies where weights are cold, one launch's
// bytes where they are cached. The rate is that of the unit that the variant computes with. Of limits
// measured several times in a run the best counts.
struct Limit {
  double seconds = 0;
  Limiter limiter = Limiter::Memory;
};

// Nothing where the device's bandwidth or rate was not measured.
std::optional<Limit> limit_of(const std::vector<Roof>& roofs, const CaseResult& result);

// launch + bytes / bandwidth: all that is known of a device whose arithmetic rate was not measured.
std::optional<Limit> reading_limit_of(const std::vector<Roof>& roofs, const CaseResult& result);

// What a timed token of a model can be held against: launch + reading all that it must, once; and for a
// prompt of all tokens up to its position the products with ternary weights, which leave out attention and
// head. Nothing where the report does not say what the token takes, or the limit was not measured.
struct TokenLimits {
  std::optional<Limit> token;
  std::optional<Limit> prompt;
};
TokenLimits token_limits(const std::vector<Roof>& roofs, const KvTiming& timing);

// Best bandwidth of a device in bytes per second at this footprint: straight between the measured
// ones in log(bytes), constant beyond them.
std::optional<double> bandwidth_at(const std::vector<Roof>& roofs, const std::string& device,
                                   double footprint_bytes);

}  // namespace rotor
