#include <cmath>
#include <cstdlib>
#include <map>

#include "bench/bench.h"
#include "core/error.h"

namespace rotor {
namespace {

// "--benchmark_filter=x" -> {"--benchmark_filter", "x"}
std::pair<std::string, std::string> split_flag(const std::string& arg) {
  const std::size_t equals = arg.find('=');
  if (equals == std::string::npos) return {arg, ""};
  return {arg.substr(0, equals), arg.substr(equals + 1)};
}

// Flags without a counterpart, and what to do instead.
const std::map<std::string, std::string>& refusals() {
  static const std::map<std::string, std::string> advice = {
      {"--benchmark_format", "use --out FILE.json, or --out - for JSON on stdout"},
      {"--benchmark_out_format", "--out writes JSON"},
      {"--benchmark_min_time", "use --budget, the time of the whole run"},
      {"--benchmark_min_warmup_time", "kernels are warmed up until their times are steady"},
      {"--benchmark_repetitions", "use --budget: cases are visited again while there is time"},
      {"--benchmark_enable_random_interleaving", "cases are always interleaved at random"},
      {"--benchmark_report_aggregates_only", "the report keeps all samples"},
      {"--benchmark_display_aggregates_only", "the tables show medians; the report all samples"},
      {"--benchmark_color", "the tables have no colour"},
      {"--benchmark_context", "use --context KEY=VALUE"},
      {"--benchmark_counters_tabular", "the tables are tabular"},
      {"--benchmark_perf_counters", "hardware counters are not read"},
  };
  return advice;
}

}  // namespace

std::vector<std::string> translate_benchmark_flags(const std::vector<std::string>& args) {
  std::vector<std::string> out;
  for (const std::string& arg : args) {
    if (!arg.starts_with("--benchmark_")) {
      out.push_back(arg);
      continue;
    }
    const auto [flag, value] = split_flag(arg);
    if (flag == "--benchmark_filter") {
      out.push_back("--filter=" + value);
    } else if (flag == "--benchmark_out") {
      out.push_back("--out=" + value);
    } else if (flag == "--benchmark_list_tests") {
      if (value != "false" && value != "0") out.push_back("--list");
    } else if (const auto found = refusals().find(flag); found != refusals().end()) {
      throw UsageError(flag + " is not a flag of rotor-bench: " + found->second);
    } else {
      throw UsageError(flag + " is not a flag of rotor-bench; of Google Benchmark's, " +
                       "--benchmark_filter, --benchmark_out and --benchmark_list_tests are "
                       "understood");
    }
  }
  return out;
}

double parse_duration(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  const std::string unit = end;
  const std::map<std::string, double> units = {{"", 1},   {"s", 1},    {"ms", 1e-3},
                                               {"m", 60}, {"min", 60}, {"h", 3600}};
  const auto found = units.find(unit);
  if (end == text.c_str() || found == units.end() || !(value > 0) || !std::isfinite(value)) {
    throw UsageError("'" + text + "' is not a time; write 90s, 10m or 1.5h");
  }
  return value * found->second;
}

double parse_share(const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  const bool percent = *end == '%';
  if (percent) {
    value /= 100;
    ++end;
  }
  if (end == text.c_str() || *end != '\0' || !(value > 0) || !(value < 1)) {
    throw UsageError("'" + text + "' is not a share; write 3% or 0.03");
  }
  return value;
}

std::uint64_t parse_seed(const std::string& text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string digits = hex ? text.substr(2) : text;
  char* end = nullptr;
  errno = 0;
  const std::uint64_t value = std::strtoull(digits.c_str(), &end, hex ? 16 : 10);
  const bool plain = !digits.empty() && std::isxdigit(static_cast<unsigned char>(digits[0]));
  if (!plain || *end != '\0' || errno != 0) {
    throw UsageError("'" + text + "' is not a seed; write a decimal number or hexadecimal 0x...");
  }
  return value;
}

}  // namespace rotor
