#include "bench/look.h"

#include <algorithm>
#include <ostream>
#include <tuple>

#include "bench/gate_side.h"
#include "bench/process.h"
#include "bench/scratch_folder.h"
#include "core/error.h"
#include "core/written.h"
#include "model/commands.h"
#include "reports/compare.h"
#include "reports/report.h"
#include "reports/text.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;

// Runs of one build differ by more than processes in turns do.
constexpr double kLeastEffect = 0.05;
// Seconds that a run may take longer than its budget.
constexpr double kGrace = 120;

Report measure_now(const GateOptions& options) {
  const ScratchFolder scratch;
  const std::string out = scratch.path() / "now.json";
  std::vector<std::string> argv = {fs::read_symlink("/proc/self/exe"),
                                   "--suite",
                                   "gate",
                                   "--seed",
                                   std::to_string(options.seed),
                                   "--budget",
                                   std::to_string(options.budget_s),
                                   "--out",
                                   out};
  if (!options.device.empty()) argv.insert(argv.end(), {"--device", options.device});
  argv.insert(argv.end(), options.args.begin(), options.args.end());
  const ProcessEnd end =
      run_process(argv, options.budget_s + kGrace, scratch.path() / "stderr.txt", "");
  if (!fs::exists(out)) throw_no_report("the gate's run", end);
  return read_json(load_file(out), out);
}

// What is left of a list once the elements are gone that no element of another is like.
template <typename T, typename Like>
void keep_what_is_like(std::vector<T>& known, const std::vector<T>& now, const Like& like) {
  std::erase_if(known, [&](const T& k) {
    return std::none_of(now.begin(), now.end(), [&](const T& n) { return like(k, n); });
  });
}

// Of what the report knows, that which a run of today's gate knows as well: the same shapes on the same
// devices, in all variants, for one that is gone is to be told. Filters are of variants, too, so what
// they leave out is dropped by name.
Report restricted(Report known, const Report& now, bool is_filtered) {
  keep_what_is_like(known.results, now.results, [&](const CaseResult& k, const CaseResult& n) {
    const auto work_of = [](const CaseResult& r) {
      return std::tie(r.device, r.spec.op, r.spec.n, r.spec.k, r.spec.m, r.spec.hot);
    };
    return work_of(k) == work_of(n) && (!is_filtered || k.spec.id == n.spec.id);
  });
  keep_what_is_like(known.battery, now.battery, [&](const RowCheck& k, const RowCheck& n) {
    return k.device == n.device && k.op == n.op && (!is_filtered || k.variant == n.variant);
  });
  // Devices are part of the key, and a run of everything has more of them.
  if (known.machine.hw_key == hardware_key(known.machine, known.devices)) {
    keep_what_is_like(known.devices, now.devices,
                      [](const DeviceFacts& k, const DeviceFacts& n) { return k.id == n.id; });
    known.machine.hw_key = hardware_key(known.machine, known.devices);
  }
  known.kv.clear();
  known.kv_timings.clear();
  return known;
}

// Without --device the gate runs on all devices, so those of the report must be there.
void require_devices(const Report& known, const Report& now, const GateOptions& options) {
  if (!options.device.empty()) return;
  for (const DeviceFacts& device : known.devices) {
    const bool is_here = std::any_of(now.devices.begin(), now.devices.end(),
                                     [&](const DeviceFacts& d) { return d.id == device.id; });
    if (is_here) continue;
    throw UnsupportedError("no_device", options.base + ": has times of " + device.id + ' ' +
                                            device.name +
                                            ", which cannot be opened now; name the " +
                                            "devices to look at with --device");
  }
}

// Slower by its whole interval, and by more than the machine itself is now.
bool is_worth_a_look(const ComparedCase& c, double min_effect) {
  return c.change == Change::Slower && c.speedup / c.explained.value_or(1) < 1 - min_effect;
}

std::vector<std::string> verdict_lines(const ReportComparison& comparison, double min_effect) {
  std::vector<std::string> lines;
  for (const ComparedCase& c : comparison.cases) {
    if (!is_worth_a_look(c, min_effect)) continue;
    lines.push_back("look: " + c.spec.id + " takes " + show_percent(c.b_s / c.a_s - 1) +
                    " longer than in the report");
  }
  lines.push_back(lines.empty() ? "nothing to look at"
                                : "to decide, run the gate against the program of that build");
  return lines;
}

}  // namespace

int run_look(const GateOptions& options, std::ostream& out, std::ostream& talk) {
  const Report stored = read_json(load_file(options.base), options.base);
  require_measured(stored, options.base, "a gate");
  talk << "gate: measuring this build\n" << std::flush;
  const Report now = measure_now(options);
  if (interrupted()) return kExitInterrupted;
  require_devices(stored, now, options);
  CompareRules rules;
  rules.min_effect = std::max(kLeastEffect, options.min_effect);
  const ReportComparison comparison = compare(restricted(stored, now, !options.filters.empty()),
                                              options.base, now, "this build", rules);
  if (!comparison.same_hardware) {
    throw UsageError(options.base + ": is of another machine, " + comparison.a.label +
                     "; times are not gated across machines, see rotor-bench compare");
  }
  if (comparison.cases.empty()) {
    throw UsageError(options.base + ": has times of no case of the gate; make one with " +
                     "--suite gate or all");
  }
  Document document = document_of(comparison);
  document.title = "Gate: this build against a report";
  std::erase_if(document.closing, [](const std::string& s) { return s.starts_with("exit "); });
  const std::vector<std::string> verdict = verdict_lines(comparison, rules.min_effect);
  document.closing.insert(document.closing.end(), verdict.begin(), verdict.end());
  int code = exit_code(comparison);
  if (code == kExitOk && options.fail_on_inconclusive && verdict.size() > 1) {
    code = kExitInconclusive;
  }
  document.closing.push_back("exit " + std::to_string(code));
  out << printable(console_text(document));
  for (const std::string& path : options.outs) {
    const std::string format = format_of(path);
    save_file(path, format == "json"       ? comparison_json(comparison)
                    : format == "html"     ? html_text(document)
                    : format == "markdown" ? markdown_text(document)
                    : format == "csv"      ? comparison_csv(comparison)
                                           : console_text(document));
    talk << "gate: " << path << '\n';
  }
  check_written(out, "the gate's result");  // last: files are written all the same
  return code;
}

}  // namespace rotor
