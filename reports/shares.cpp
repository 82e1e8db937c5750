#include "reports/shares.h"

#include <algorithm>
#include <variant>

namespace rotor {
namespace {

// Five trits per byte are 1.6 bits. Scales, a float per output, add 32/k bits per weight: 0.0125 in a
// model of real size, 0.5 with 64 inputs.
constexpr double kTwoBitsAtLeast = 1.9;
constexpr double kTwoBitsAtMost = 2.5;

bool has_two_bits(const CaseResult& result) {
  const double weights = static_cast<double>(result.spec.n) * result.spec.k;
  const double bits = 8 * static_cast<double>(result.measurement->weight_bytes) / weights;
  return bits >= kTwoBitsAtLeast && bits <= kTwoBitsAtMost;
}

std::string why_no_time(const CaseResult& result) {
  if (result.verdict.passed()) return "checked, but not timed";
  return "no verified time: " + std::string(status_name(result.verdict.status)) +
         (result.verdict.reason_code.empty() ? "" : ", " + result.verdict.reason_code);
}

// What its kind of work leaves to say, whatever the times are; empty: nothing.
std::string why_other_work(const CaseResult& result) {
  if (result.spec.op == "matmul_half") return "calculates in FP16, not in int8";
  if (result.spec.layers) return "all layers at once, no single product";
  if (result.spec.op != "matmul") return "no product with ternary weights";
  if (result.spec.hot) return "weights from a cache; those of a model come from memory";
  return "";
}

std::variant<KernelShare, std::string> share_of(const Report& report, const CaseResult& result,
                                                const std::optional<Derived>& derived) {
  if (const std::string why = why_other_work(result); !why.empty()) return why;
  if (!derived || !result.verdict.passed()) return why_no_time(result);
  if (!has_two_bits(result)) return "weights that do not have 2 bits";
  const std::optional<Limit> reading = reading_limit_of(report.roofs, result);
  if (!reading) return "no read bandwidth measured on the device (--roofline)";
  std::optional<Limit> limit = derived->limit;
  if (!limit && result.spec.m == 1) limit = reading;
  if (!limit) return "a batch, and no arithmetic rate measured on the device";
  if (limit->limiter == Limiter::Launch) return "the launch takes longer than the work";
  return KernelShare{&result, derived->median_s, limit->seconds, limit->limiter, derived->noisy};
}

}  // namespace

DeviceShares shares_of(const Report& report, const std::vector<std::optional<Derived>>& derived,
                       const std::string& device) {
  DeviceShares out;
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const CaseResult& result = report.results[i];
    if (result.device != device) continue;
    const auto share = share_of(report, result, derived[i]);
    if (const auto* known = std::get_if<KernelShare>(&share)) {
      out.shares.push_back(*known);
    } else {
      out.left_out.push_back({result.spec.id, std::get<std::string>(share)});
    }
  }
  return out;
}

std::vector<ReasonCount> count_reasons(const std::vector<LeftOutCase>& left_out) {
  std::vector<ReasonCount> counts;
  for (const LeftOutCase& c : left_out) {
    const auto known = std::find_if(counts.begin(), counts.end(),
                                    [&](const ReasonCount& count) { return count.why == c.why; });
    if (known == counts.end()) {
      counts.push_back({c.why, 1, c.case_id});
    } else {
      ++known->cases;
    }
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const ReasonCount& a, const ReasonCount& b) { return a.cases > b.cases; });
  return counts;
}

}  // namespace rotor
