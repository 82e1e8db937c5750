// Shares of the limit: how close the kernels of a run came to what their device can do at best, and
// why other cases do not tell it. Projections start from here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/report.h"

namespace rotor {

// A verified kernel with 2-bit weights that come from memory.
struct KernelShare {
  const CaseResult* result = nullptr;  // of the report
  double seconds = 0;                  // median
  double limit_s = 0;
  Limiter limiter = Limiter::Memory;  // or Compute
  bool noisy = false;
};

struct LeftOutCase {
  std::string case_id;
  std::string why;
};

struct DeviceShares {
  std::vector<KernelShare> shares;
  std::vector<LeftOutCase> left_out;
};

// Every case of this device is in one of the two lists, in the order of the report, which must
// outlive them. `derived` is derive(report). Where no arithmetic rate was measured (GPUs before format
// 1.4), reading is taken as the limit of single tokens, and batches are left out.
DeviceShares shares_of(const Report& report, const std::vector<std::optional<Derived>>& derived,
                       const std::string& device);

// How often each reason occurs, the most frequent first.
struct ReasonCount {
  std::string why;
  std::size_t cases = 0;
  std::string example;  // the first case
};
std::vector<ReasonCount> count_reasons(const std::vector<LeftOutCase>& left_out);

}  // namespace rotor
