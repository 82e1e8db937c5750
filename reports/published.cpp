#include "reports/published.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "reports/compare.h"

namespace rotor {
namespace {

// Of what a kernel for dense weights takes, nothing follows for one with ternary weights.
bool is_ternary(const Case& spec) {
  return spec.op == "matmul" || spec.op == "matmul_half";
}

const DeviceFacts* find_device(const Report& report, const std::string& id) {
  for (const DeviceFacts& device : report.devices) {
    if (device.id == id) return &device;
  }
  return nullptr;
}

bool is_software(const Report& report, const CaseResult& result) {
  const DeviceFacts* device = find_device(report, result.device);
  return device != nullptr && device->kind == "software";
}

// The kernels of a run for one product, those of the fastest kind of device and cache only.
std::vector<std::size_t> candidates(const Report& mine, const PublishedProduct& product,
                                    const std::vector<std::optional<Derived>>& derived) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < mine.results.size(); ++i) {
    const CaseResult& r = mine.results[i];
    const Case& spec = r.spec;
    if (derived[i] && r.verdict.passed() && is_ternary(spec) && spec.backend == product.backend &&
        spec.n == product.n && spec.k == product.k && spec.m == product.m) {
      found.push_back(i);
    }
  }
  // Real devices before software ones, then cold weights before cached ones.
  const auto prefer = [&](const auto& is_preferred) {
    if (std::any_of(found.begin(), found.end(), is_preferred)) {
      std::erase_if(found, [&](std::size_t i) { return !is_preferred(i); });
    }
  };
  prefer([&](std::size_t i) { return !is_software(mine, mine.results[i]); });
  prefer([&](std::size_t i) { return !mine.results[i].spec.hot; });
  return found;
}

std::string why_none(const Report& mine, const PublishedProduct& product) {
  const bool has_device =
      std::any_of(mine.devices.begin(), mine.devices.end(),
                  [&](const DeviceFacts& d) { return d.backend == product.backend; });
  return has_device ? "no verified time of this shape and batch"
                    : "the run has no " + product.backend + " device";
}

HeldProduct hold_product(const Report& mine, const PublishedProduct& product,
                         const std::vector<std::optional<Derived>>& derived) {
  HeldProduct held;
  held.published = product;
  const std::vector<std::size_t> kernels = candidates(mine, product, derived);
  if (kernels.empty()) {
    held.lacking = why_none(mine, product);
    return held;
  }
  const std::size_t best = *std::min_element(
      kernels.begin(), kernels.end(),
      [&](std::size_t a, std::size_t b) { return derived[a]->median_s < derived[b]->median_s; });
  const CaseResult& result = mine.results[best];
  const double median = derived[best]->median_s;
  const auto [low, high] = median_range(*result.measurement, CompareRules{}.confidence)
                               .value_or(std::pair(median, median));
  const DeviceFacts* device = find_device(mine, result.device);
  held.mine = HeldKernel{result.spec.id,
                         result.device,
                         device == nullptr ? "" : device->name,
                         is_software(mine, result),
                         median,
                         low,
                         high,
                         kernels.size()};
  return held;
}

// Of each model and device the position that is nearest.
std::vector<HeldGain> hold_gains(const Report& mine, const PublishedTokenTime& published) {
  const auto distance = [&](std::uint32_t position) {
    return std::abs(static_cast<double>(position) - published.tokens);
  };
  std::vector<HeldGain> gains;
  for (const KvTiming& t : mine.kv_timings) {
    const HeldGain gain{t.model,        t.device,          t.position,
                        t.with_cache_s, t.without_cache_s, published};
    const auto known = std::find_if(gains.begin(), gains.end(), [&](const HeldGain& g) {
      return g.model == t.model && g.device == t.device;
    });
    if (known == gains.end()) {
      gains.push_back(gain);
    } else if (distance(t.position) < distance(known->position)) {
      *known = gain;
    }
  }
  return gains;
}

}  // namespace

void require_measured(const Report& report, const std::string& name, const std::string& purpose) {
  if (!report.published) return;
  throw UsageError(name + ": holds figures that were " + kNotMeasured + "; " + purpose +
                   " needs the report of a run");
}

HeldAgainst hold_against(const Report& published, const std::string& name, const Report& mine,
                         const std::string& mine_name) {
  HeldAgainst held;
  held.name = name;
  held.published = *published.published;
  held.mine_name = mine_name;
  held.mine_label = mine.machine.label;
  held.mine_run = mine.run.id;
  const std::vector<std::optional<Derived>> derived = derive(mine);
  for (const PublishedProduct& product : held.published.products) {
    held.products.push_back(hold_product(mine, product, derived));
  }
  for (const PublishedTokenTime& token : held.published.tokens) {
    const std::vector<HeldGain> gains = hold_gains(mine, token);
    held.gains.insert(held.gains.end(), gains.begin(), gains.end());
  }
  held.wrong = static_cast<std::size_t>(
      std::count_if(mine.results.begin(), mine.results.end(),
                    [](const CaseResult& r) { return is_wrong(r.verdict.status); }));
  return held;
}

int exit_code(const HeldAgainst& held) {
  return held.wrong > 0 ? kExitCheckFailed : kExitOk;
}

}  // namespace rotor
