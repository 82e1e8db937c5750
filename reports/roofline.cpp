#include "reports/roofline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

namespace rotor {
namespace {

constexpr std::array<std::string_view, 3> kLimiters = {"memory", "compute", "launch"};

bool counts(const Roof& roof, const std::string& device, std::string_view kind) {
  return roof.device == device && roof.kind == kind && !roof.threads &&
         std::isfinite(roof.median) && roof.median > 0;
}

// The best rate of a kind in its own unit; larger is better but for times.
std::optional<double> best(const std::vector<Roof>& roofs, const std::string& device,
                           std::string_view kind) {
  std::optional<double> value;
  for (const Roof& roof : roofs) {
    if (!counts(roof, device, kind)) continue;
    const bool better = roof.unit == "ns" ? roof.median < value : roof.median > value;
    if (!value || better) value = roof.median;
  }
  return value;
}

// The units that a case may compute with; the fastest that was measured counts: a kernel in FP32 is
// not at its limit where FP16 would be faster. A GPU has units that others of its kernels are made for,
// whose names say so (HOUSE.md, section 9).
std::vector<std::string_view> kinds_of(const Case& spec) {
  if (spec.op == "matmul_half") return {"fp16_fma", "fp32_fma"};
  const bool has_layers = spec.op == "layers" || spec.op == "products";
  if (spec.op != "matmul" && !has_layers) return {"fp32_fma"};
  if (spec.backend == "cpu") return {"int8_dot", "int32_mad"};
  const auto has = [&](const char* part) { return spec.variant.find(part) != std::string::npos; };
  if (has("_coop")) return {"int8_matrix"};
  if (has("_dot") || has_layers) return {"int8_dot"};
  return {"int32_mad", "fp32_fma"};
}

std::optional<double> best_rate(const std::vector<Roof>& roofs, const CaseResult& result) {
  std::optional<double> rate;
  for (const std::string_view kind : kinds_of(result.spec)) {
    const std::optional<double> found = best(roofs, result.device, kind);
    if (found && (!rate || *found > *rate)) rate = found;
  }
  return rate;
}

}  // namespace

std::string_view limiter_name(Limiter limiter) {
  return kLimiters[static_cast<std::size_t>(limiter)];
}

std::optional<Limiter> parse_limiter(std::string_view name) {
  const auto found = std::find(kLimiters.begin(), kLimiters.end(), name);
  if (found == kLimiters.end()) return std::nullopt;
  return static_cast<Limiter>(found - kLimiters.begin());
}

std::optional<double> bandwidth_at(const std::vector<Roof>& roofs, const std::string& device,
                                   double footprint_bytes) {
  std::map<double, double> curve;  // bytes -> best bandwidth
  for (const Roof& roof : roofs) {
    if (!counts(roof, device, "read_bw") || !roof.footprint_bytes) continue;
    double& known = curve[static_cast<double>(*roof.footprint_bytes)];
    known = std::max(known, roof.median);
  }
  if (curve.empty()) return std::nullopt;
  const auto above = curve.lower_bound(footprint_bytes);
  if (above == curve.end()) return curve.rbegin()->second;
  if (above == curve.begin()) return above->second;
  const auto below = std::prev(above);
  const double fraction =
      std::log(footprint_bytes / below->first) / std::log(above->first / below->first);
  return below->second + fraction * (above->second - below->second);
}

std::optional<Limit> reading_limit_of(const std::vector<Roof>& roofs, const CaseResult& result) {
  if (!result.measurement) return std::nullopt;
  const Measurement& m = *result.measurement;
  const double bytes = static_cast<double>(m.min_bytes);
  const double footprint = m.cold ? bytes * m.rotate_buffers : bytes;
  const std::optional<double> bandwidth = bandwidth_at(roofs, result.device, footprint);
  if (!bandwidth) return std::nullopt;
  const double memory = bytes / *bandwidth;
  const double launch = best(roofs, result.device, "launch_latency").value_or(0) * 1e-9;
  return Limit{launch + memory, launch > memory ? Limiter::Launch : Limiter::Memory};
}

std::optional<Limit> limit_of(const std::vector<Roof>& roofs, const CaseResult& result) {
  const std::optional<Limit> reading = reading_limit_of(roofs, result);
  const std::optional<double> rate = best_rate(roofs, result);
  if (!reading || !rate) return std::nullopt;
  const double launch = best(roofs, result.device, "launch_latency").value_or(0) * 1e-9;
  const double memory = reading->seconds - launch;
  const double compute = 2 * static_cast<double>(result.measurement->macs) / *rate;
  if (memory >= compute) return reading;
  return Limit{launch + compute, launch > compute ? Limiter::Launch : Limiter::Compute};
}

TokenLimits token_limits(const std::vector<Roof>& roofs, const KvTiming& timing) {
  if (timing.token_bytes == 0) return {};
  CaseResult work;
  work.device = timing.device;
  work.spec.op = "matmul";
  work.spec.backend = timing.device.substr(0, timing.device.find(':'));
  work.measurement.emplace();
  work.measurement->min_bytes = timing.token_bytes;
  work.measurement->cold = true;
  work.measurement->rotate_buffers = 1;
  TokenLimits limits{.token = reading_limit_of(roofs, work), .prompt = {}};
  work.spec.variant = timing.prompt_variant;
  work.measurement->macs = timing.token_macs * (timing.position + 1);
  limits.prompt = limit_of(roofs, work);
  return limits;
}

}  // namespace rotor
