// Whether the variants that the runtime takes are the fastest of those that could take their place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/report.h"

namespace rotor {

// The runtime's choice for one shape and batch, weights from memory, against the fastest verified variant
// of the same op and device.
struct Choice {
  const CaseResult* chosen = nullptr;  // of the report
  const CaseResult* fastest = nullptr;
  double behind =
      0;  // how much longer the chosen one takes, as a fraction of the fastest; 0 if it is it
  bool within_noise = false;  // the 95 % intervals of the two medians touch
};

// Those choices for which a time of the chosen one is there, and another variant's, in the order of the
// report, which must outlive them. `derived` is derive(report).
std::vector<Choice> choices_of(const Report& report,
                               const std::vector<std::optional<Derived>>& derived);

// A sentence with the count of good choices, and a line for each that is not; empty without choices.
std::string choices_text(const Report& report, const std::vector<std::optional<Derived>>& derived);

}  // namespace rotor
