// The weaker gate: this build against the report of an earlier run on the same machine. What differs
// between two runs cannot be told from what differs between two builds, so it never fails a time: it
// says where to look, and a gate of two programs decides.
#pragma once

#include <iosfwd>

#include "bench/bench.h"

namespace rotor {

// options.base is a report. 2 and 4 as in reports/compare.h for the cases of the gate; 3 for times to
// look at, where asked for; else 0. Throws UsageError where the report has none of the cases, or is
// of another machine; FormatError; DeviceError.
int run_look(const GateOptions& options, std::ostream& out, std::ostream& talk);

}  // namespace rotor
