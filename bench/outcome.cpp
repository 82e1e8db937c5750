#include "bench/outcome.h"

#include <cmath>
#include <map>

#include "core/error.h"
#include "model/commands.h"
#include "reports/text.h"

namespace rotor {

namespace {

// Rounded up generously, for it comes from estimates: "20s", "3m".
std::string show_budget(double seconds) {
  const double wanted = 1.25 * seconds;
  const bool minutes = wanted > 60;
  const double unit = minutes ? 60 : 5;
  const auto units = static_cast<int>(std::ceil(wanted / unit));
  return minutes ? std::to_string(units) + 'm' : std::to_string(5 * units) + 's';
}

}  // namespace

Summary decide(const Report& report, const BenchOptions& options, bool unplanned, double wall_s,
               double enough_s) {
  std::map<Status, std::size_t> cases;  // and whatever else has a status
  std::map<Status, std::size_t> all;
  for (const CaseResult& result : report.results) ++cases[result.verdict.status];
  all = cases;
  for (const RowCheck& row : report.battery) ++all[row.verdict.status];
  for (const KvResult& result : report.kv) ++all[result.status];
  for (const QualityResult& result : report.quality) ++all[result.status];
  for (const SamplerCheck& check : report.sampler_checks) ++all[check.status];
  std::size_t wrong = 0;
  std::size_t broken = 0;
  for (const auto& [status, count] : all) {
    if (is_wrong(status)) wrong += count;
    if (is_broken(status)) broken += count;
  }
  const auto misses = [](const std::optional<MutantCount>& count) {
    return count && (count->caught < count->mutants || !count->missed.empty());
  };
  if (interrupted()) return {kExitInterrupted, "interrupted; what was finished is kept", wall_s};
  if (misses(report.run.self_test) || misses(report.run.kv_self_test) ||
      misses(report.run.gate_self_test)) {
    return {kExitCheckFailed, "the checks miss injected bugs and prove nothing", wall_s};
  }
  if (wrong > 0) {
    return {kExitCheckFailed, count_of(wrong, "check") + " found wrong results", wall_s};
  }
  if (broken > 0) {
    return {kExitInfrastructure, count_of(broken, "case") + " could not be run to an end", wall_s};
  }
  if (cases[Status::Skipped] > 0 && cases[Status::Pass] == 0) {
    return {kExitUsage,
            "nothing fits into the budget: checks take " + show_seconds(wall_s, 2) + ", --budget " +
                show_budget(enough_s) + " is enough for all cases",
            wall_s};
  }
  if (options.self_test)
    return {kExitOk, "the checks find every injected bug and slow-down", wall_s};
  if (unplanned && all.empty()) {
    const char* why = options.filters.empty() ? "nothing fits into the budget; raise --budget"
                                              : "nothing of the suite matches --filter";
    return {kExitUsage, why, wall_s};
  }
  if (all[Status::Pass] + all[Status::Waived] == 0) {
    return {kExitUnavailable, "this machine can run nothing of what was asked for", wall_s};
  }
  if (all[Status::Waived] > 0) {
    return {kExitOk,
            count_of(all[Status::Pass], "check") + " passed, " +
                std::to_string(all[Status::Waived]) + " failed as known issues do",
            wall_s};
  }
  return {kExitOk, "all " + count_of(all[Status::Pass], "check") + " passed", wall_s};
}

}  // namespace rotor
