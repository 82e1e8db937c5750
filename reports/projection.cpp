#include "reports/projection.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "reports/text.h"

namespace rotor {
namespace {

// A real GPU before a CPU before an imitated GPU.
int rank(const DeviceFacts& device) {
  if (device.kind == "software") return 2;
  return device.backend == "cpu" ? 1 : 0;
}

struct Source {
  const DeviceFacts* device = nullptr;
  DeviceShares shares;
};

// Why there is nothing to project from.
[[noreturn]] void refuse(const std::string& name, const std::vector<LeftOutCase>& left_out) {
  std::string message = name + ": none of its " + count_of(left_out.size(), "case") +
                        " tells a share of a measured limit";
  std::string separator = " (";
  for (const ReasonCount& reason : count_reasons(left_out)) {
    message += separator + std::to_string(reason.cases) + ": " + reason.why;
    separator = "; ";
  }
  if (!left_out.empty()) message += ")";
  throw UsageError(message +
                   "; measure one with --suite matmul --device cpu --roofline and a --budget "
                   "of 1m or more");
}

Source choose_source(const Report& report, const std::string& name, const std::string& wanted) {
  const std::vector<std::optional<Derived>> derived = derive(report);
  Source chosen;
  std::string ids;
  std::vector<LeftOutCase> left_out;
  bool is_known = wanted.empty();
  for (const DeviceFacts& device : report.devices) {
    ids += (ids.empty() ? "" : ", ") + device.id;
    if (!wanted.empty() && device.id != wanted) continue;
    is_known = true;
    DeviceShares shares = shares_of(report, derived, device.id);
    left_out.insert(left_out.end(), shares.left_out.begin(), shares.left_out.end());
    if (shares.shares.empty()) continue;
    if (chosen.device == nullptr || rank(device) < rank(*chosen.device)) {
      chosen = {&device, std::move(shares)};
    }
  }
  if (!is_known) throw UsageError(name + ": has no device " + wanted + "; it has " + ids);
  if (chosen.device == nullptr) refuse(name, left_out);
  return chosen;
}

std::string limiter_of(const TargetHardware& target, const SourcedRange& reach, double bytes,
                       double lane_ops) {
  const bool fast_memory =
      bytes / (target.bus_bytes_per_s.value * reach.high) >= lane_ops / target.lane_ops_per_s.high;
  const bool slow_memory =
      bytes / (target.bus_bytes_per_s.value * reach.low) >= lane_ops / target.lane_ops_per_s.low;
  if (fast_memory != slow_memory) return "memory or compute";
  return fast_memory ? "memory" : "compute";
}

// Reading and calculating overlap.
ProjectedTime limit_on(const TargetHardware& target, const SourcedRange& reach, double bytes,
                       double lane_ops) {
  const double bus = target.bus_bytes_per_s.value;
  return {std::max(bytes / (bus * reach.high), lane_ops / target.lane_ops_per_s.high),
          std::max(bytes / (bus * reach.low), lane_ops / target.lane_ops_per_s.low),
          limiter_of(target, reach, bytes, lane_ops)};
}

double lane_ops_of(const TargetHardware& target, double trits, double tokens) {
  return trits * (target.unpack_ops_per_trit.value + tokens * target.ops_per_product.value);
}

// Why a kernel is not projected onto this hardware; nothing: it is.
const TargetHardware::Without* misfit(const TargetHardware& target, const Case& spec) {
  for (const TargetHardware::Without& w : target.without) {
    if (spec.variant.find(w.kernel) != std::string::npos) return &w;
  }
  return nullptr;
}

// For each product the fastest kernel, in the order of the report.
std::vector<KernelShare> fastest(const std::vector<KernelShare>& all) {
  const auto product = [](const KernelShare& s) {
    return std::tuple(s.result->spec.n, s.result->spec.k, s.result->spec.m);
  };
  std::vector<KernelShare> best;
  for (const KernelShare& share : all) {
    const auto known = std::find_if(best.begin(), best.end(), [&](const KernelShare& other) {
      return product(other) == product(share);
    });
    if (known == best.end()) {
      best.push_back(share);
    } else if (share.seconds < known->seconds) {
      *known = share;
    }
  }
  return best;
}

ProjectedCase project_case(const KernelShare& from, const TargetHardware& target,
                           const SourcedRange& reach) {
  ProjectedCase projected;
  projected.spec = from.result->spec;
  projected.measured_s = from.seconds;
  projected.noisy = from.noisy;
  projected.share = std::min(1.0, from.limit_s / from.seconds);
  projected.measured_limiter = limiter_name(from.limiter);
  const double trits = static_cast<double>(projected.spec.n) * projected.spec.k;
  projected.time = limit_on(target, reach, static_cast<double>(from.result->measurement->min_bytes),
                            lane_ops_of(target, trits, projected.spec.m));
  projected.time.fast_s /= projected.share;
  projected.time.slow_s /= projected.share;
  return projected;
}

// Of all products of a layer together: the long ones count most, as they do in a model.
void share_of_layer(ProjectedTarget& target, const std::vector<KernelShare>& best,
                    const ModelTraffic& model) {
  double limit_s = 0;
  double seconds = 0;
  for (const ModelTraffic::Product& p : model.products) {
    const auto found = std::find_if(best.begin(), best.end(), [&](const KernelShare& s) {
      const Case& spec = s.result->spec;
      return spec.n == p.n && spec.k == p.k && spec.m == 1;
    });
    if (found == best.end()) {
      target.lacking.push_back("n" + std::to_string(p.n) + "_k" + std::to_string(p.k));
      continue;
    }
    limit_s += found->limit_s;
    seconds += found->seconds;
  }
  if (target.lacking.empty()) target.model_share = std::min(1.0, limit_s / seconds);
}

ProjectedTokens project_tokens(const ModelTraffic& model, const ModelTraffic::Head& head,
                               const TargetHardware& target, const SourcedRange& reach,
                               const std::optional<double>& share) {
  ProjectedTokens tokens;
  tokens.head = head.name;
  const double rest = model.norm_bytes.value + head.bytes.value;
  tokens.bytes = model.ternary_bytes.value + rest;
  tokens.ceiling_per_s = target.bus_bytes_per_s.value / tokens.bytes;
  if (!share) return tokens;
  const ProjectedTime ternary =
      limit_on(target, reach, model.ternary_bytes.value, lane_ops_of(target, model.trits.value, 1));
  const ProjectedTime other = limit_on(target, reach, rest, 0);
  tokens.limiter = ternary.limiter;
  tokens.slow_per_s = *share / (ternary.slow_s + other.slow_s);
  tokens.fast_per_s = *share / (ternary.fast_s + other.fast_s);
  return tokens;
}

std::vector<const TargetHardware*> choose_targets(const HardwareTable& hardware,
                                                  const std::vector<std::string>& onto) {
  std::vector<const TargetHardware*> chosen;
  for (const TargetHardware& target : hardware.targets) {
    if (onto.empty()) chosen.push_back(&target);
  }
  for (const std::string& id : onto) {
    const auto found = std::find_if(hardware.targets.begin(), hardware.targets.end(),
                                    [&](const TargetHardware& t) { return t.id == id; });
    if (found == hardware.targets.end()) {
      std::string known;
      for (const auto& t : hardware.targets) known += (known.empty() ? "" : ", ") + t.id;
      throw UsageError("--onto " + id + ": not in the hardware table, which has " + known);
    }
    chosen.push_back(&*found);
  }
  return chosen;
}

std::string source_assumption(const Report& report, const DeviceFacts& device) {
  const std::string of = "shares of the limit are those of " + device.id + " (" + device.name + ")";
  if (device.kind == "software") return of + ", which the CPU imitates: they say little of a GPU";
  if (device.backend == "cpu") {
    return of + ": that a GPU's kernels come as close to its limits is assumed";
  }
  const bool has_rate = std::any_of(report.roofs.begin(), report.roofs.end(), [&](const Roof& r) {
    return r.device == device.id && r.unit == "ops/s";
  });
  return of + (has_rate ? ", another GPU" : ", another GPU, and of its read bandwidth alone");
}

std::vector<std::string> assumptions_of(const Report& report, const DeviceFacts& device,
                                        const HardwareTable& hardware) {
  const SourcedRange& reach = hardware.bus_reach;
  const ModelTraffic& model = hardware.model;
  return {source_assumption(report, device),
          "a kernel keeps its share where something else limits it; a share above 1 counts as 1",
          "reading reaches " + show_percent(reach.low) + " to " + show_percent(reach.high) +
              " of the theoretical bus (" + reach.known + "); the CPU leaves the bus alone",
          "arithmetic: all lanes busy, at clocks from the low to the high end; each weight is "
          "unpacked once a launch",
          "a launch costs nothing, and a token has " +
              show_number(model.launches_per_token.low, 3) + " to " +
              show_number(model.launches_per_token.high, 3) + " of them",
          "a token: the share of one layer's products holds for the head; attention and the KV "
          "cache (" +
              show_number(model.cache_bytes_per_position.value * 1e-3, 3) +
              " kB a position) are not counted",
          "not modelled: caches, drivers, power limits that keep clocks below that range"};
}

ProjectedTarget project_onto(const TargetHardware& hardware, const std::vector<KernelShare>& all,
                             const HardwareTable& table) {
  ProjectedTarget target;
  target.hardware = hardware;
  std::vector<KernelShare> suited;
  for (const KernelShare& share : all) {
    const Case& spec = share.result->spec;
    if (const TargetHardware::Without* w = misfit(hardware, spec)) {
      target.left_out.push_back({spec.id, w->why});
    } else {
      suited.push_back(share);
    }
  }
  const std::vector<KernelShare> best = fastest(suited);
  for (const KernelShare& share : best) {
    target.cases.push_back(project_case(share, hardware, table.bus_reach));
  }
  share_of_layer(target, best, table.model);
  for (const ModelTraffic::Head& head : table.model.heads) {
    target.tokens.push_back(
        project_tokens(table.model, head, hardware, table.bus_reach, target.model_share));
  }
  return target;
}

}  // namespace

Projection project(const Report& report, const std::string& name, const HardwareTable& hardware,
                   const std::vector<std::string>& onto, const std::string& device) {
  require_measured(report, name, "a projection");
  const std::vector<const TargetHardware*> targets = choose_targets(hardware, onto);
  const Source source = choose_source(report, name, device);
  Projection out;
  out.name = name;
  out.label = report.machine.label;
  out.run_id = report.run.id;
  out.device = *source.device;
  out.hardware = hardware;
  out.assumptions = assumptions_of(report, out.device, hardware);
  out.left_out = source.shares.left_out;
  for (const TargetHardware* target : targets) {
    out.targets.push_back(project_onto(*target, source.shares.shares, hardware));
  }
  return out;
}

int exit_code(const Projection&) {
  return kExitOk;
}

}  // namespace rotor
