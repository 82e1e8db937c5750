// What a run came to: its exit code, and why.
#pragma once

#include "bench/bench.h"
#include "reports/report.h"

namespace rotor {

// `unplanned`: whether a suite whose results are not planned cases (kv, quality) was asked for. The
// worst of what happened decides. `enough_s`: a budget that is enough where this one was not.
Summary decide(const Report& report, const BenchOptions& options, bool unplanned, double wall_s,
               double enough_s);

}  // namespace rotor
