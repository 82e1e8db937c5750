// Whether the variants that the runtime takes are the fastest of those that could take their place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/report.h"

namespace rotor {

// The runtime's choice beside other variants that were verified and timed.
struct Standing {
  // Of the report; the choice itself where none is faster. Where some are surely faster, the fastest of
  // these.
  const CaseResult* fastest = nullptr;
  double behind = 0;  // how much longer the choice takes, as a fraction of the fastest
  bool within_noise =
      true;              // no faster one's range of medians is below ours (median_range(), 95 %)
  bool is_known = true;  // not if none is surely faster, and samples are too few for one that is
};

// The runtime's choice for one shape and batch of one op and device, weights from memory. A matrix lies
// in one packing for all batches, so for a batch only a variant of this packing could take its place.
struct Choice {
  const CaseResult* chosen = nullptr;  // of the report
  std::optional<Standing> in_packing;  // beside variants of its packing, where there are any
  Standing overall;                    // beside all
};

// Those choices for which a time of the chosen one is there, and another variant's, in the order of the
// report, which must outlive them. `derived` is derive(report).
std::vector<Choice> choices_of(const Report& report,
                               const std::vector<std::optional<Derived>>& derived);

// How many choices are the fastest of their packing, and of all, and a line for each that is not; how many
// nobody can tell of for want of samples. Empty without choices.
std::string choices_text(const Report& report, const std::vector<std::optional<Derived>>& derived);

}  // namespace rotor
