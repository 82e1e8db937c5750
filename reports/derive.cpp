#include <cmath>
#include <map>
#include <string>

#include "core/stats.h"
#include "reports/report.h"

namespace rotor {
namespace {

// Spread of the quartiles, and uncertainty of the median, from which on a case is called noisy. On
// a quiet machine both stay below a third of this (fixed integer kernel, 200 samples: quartiles
// within 3 %).
constexpr double kNoisySpread = 0.10;
constexpr double kNoisyUncertainty = 0.05;

// Above the roof by more than this is an alarm. Roofs and kernels are medians of the same clock,
// which agree within 1 % on a quiet machine.
constexpr double kAboveRoof = 1.02;

Derived derive_one(const std::vector<Roof>& roofs, const CaseResult& result) {
  const Measurement& measured = *result.measurement;
  Derived d;
  const std::vector<double>& s = measured.samples_s;
  d.median_s = median(s);
  d.q1_s = quantile(s, 0.25);
  d.q3_s = quantile(s, 0.75);
  d.spread = std::max(d.q3_s - d.median_s, d.median_s - d.q1_s) / d.median_s;
  d.uncertainty = median_uncertainty(s, 0.95);
  d.ops_per_s = 2 * static_cast<double>(measured.macs) / d.median_s;
  d.bytes_per_s = static_cast<double>(measured.min_bytes) / d.median_s;
  d.noisy = d.spread > kNoisySpread ||
            (std::isfinite(d.uncertainty) && d.uncertainty > kNoisyUncertainty);
  d.limit = limit_of(roofs, result);
  if (d.limit) {
    d.share = d.limit->seconds / d.median_s;
    // Not for a lucky median: the slow end of its interval must be above as well.
    d.above_roof = d.limit->seconds / median_interval(s, 0.95).second > kAboveRoof;
  }
  return d;
}

// What must be equal for two kernels to have done the same work.
std::string work_of(const Case& c) {
  return std::to_string(c.n) + '/' + std::to_string(c.k) + '/' + std::to_string(c.m) +
         (c.hot ? "/hot" : "") + (c.layers ? "/layers" : "");
}

}  // namespace

std::vector<std::optional<Derived>> derive(const Report& report) {
  std::vector<std::optional<Derived>> all(report.results.size());
  std::map<std::string, double> dense;  // work -> median of the dense row
  for (std::size_t i = 0; i < all.size(); ++i) {
    const CaseResult& result = report.results[i];
    if (!result.measurement || result.measurement->samples_s.empty()) continue;
    all[i] = derive_one(report.roofs, result);
    if (result.spec.op == "matmul_dense") dense[work_of(result.spec)] = all[i]->median_s;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i]) continue;
    const auto base = dense.find(work_of(report.results[i].spec));
    if (base != dense.end()) all[i]->speedup = base->second / all[i]->median_s;
  }
  return all;
}

}  // namespace rotor
