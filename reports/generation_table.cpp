// How fast whole models write, held against the limits of their devices.

#include <cmath>

#include "core/stats.h"
#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

// Of a time; nothing without a limit.
Cell share_cell(const std::optional<Limit>& limit, double seconds) {
  if (!limit) return "-";
  const double share = limit->seconds / seconds;
  return {show_percent(share) + std::string(limiter_name(limit->limiter)).substr(0, 1), share};
}

Cell rate_cell(double per_second) {
  return {show_number(per_second), per_second};
}

Cell spread_cell(const std::vector<double>& samples) {
  const double half = median_uncertainty(samples, 0.95);
  return std::isfinite(half) ? Cell("±" + show_percent(half), half) : Cell("-");
}

}  // namespace

TextTable generation_table(const Report& report) {
  TextTable table;
  table.title = "Generation, behind so many positions";
  table.columns = {{"model"},    {"device"},         {"cache"},          {"head"},
                   {"at", true}, {"tokens/s", true}, {"spread", true},   {"own clock", true},
                   {"MB", true}, {"limit", true},    {"prompt/s", true}, {"limit", true}};
  table.note =
      "own clock: of the device, for a token; MB: what a token must read, weights, head and rows "
      "of the\n"
      "cache; limit: share of the rate at which the device would only read that (m), and for a "
      "prompt\n"
      "of that length would only multiply with the weights (c).";
  for (const KvTiming& t : report.kv_timings) {
    if (t.token_bytes == 0) continue;
    const TokenLimits limits = token_limits(report.roofs, t);
    const double prompt_rate = (t.position + 1) / t.without_cache_s;
    table.rows.push_back({t.model,
                          t.device,
                          t.format,
                          t.head,
                          count_cell(t.position),
                          rate_cell(1 / t.with_cache_s),
                          spread_cell(t.with_cache_samples_s),
                          t.with_cache_device_s
                              ? Cell(show_seconds(*t.with_cache_device_s), *t.with_cache_device_s)
                              : "-",
                          {show_number(static_cast<double>(t.token_bytes) * 1e-6),
                           static_cast<double>(t.token_bytes)},
                          share_cell(limits.token, t.with_cache_s),
                          rate_cell(prompt_rate),
                          share_cell(limits.prompt, t.without_cache_s)});
  }
  return table;
}

}  // namespace rotor
