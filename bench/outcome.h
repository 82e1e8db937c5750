// What a run came to: its exit code, and why.
#pragma once

#include "bench/bench.h"
#include "reports/report.h"

namespace rotor {

// `kv`: whether the KV suite was asked for. The worst of what happened decides.
Summary decide(const Report& report, const BenchOptions& options, bool kv, double wall_s);

}  // namespace rotor
