// Two builds in turns: processes of both, round after round, and what a gate makes of their reports.

#include "reports/gate.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <ostream>

#include "bench/bench.h"
#include "bench/look.h"
#include "bench/process.h"
#include "bench/sampling.h"
#include "bench/scratch_folder.h"
#include "core/error.h"
#include "core/random.h"
#include "model/commands.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kLeastRounds = 7;  // fewer have no exact interval (A.4)
constexpr double kProcessTimeout = 120;    // seconds; a round takes one or two

class Gating {
 public:
  Gating(const GateOptions& options, std::ostream& talk)
      : options_(options), talk_(talk), random_(options.seed) {
    gate_.rules.rounds = options.rounds;
    gate_.rules.min_effect = options.min_effect;
    base_ = fs::absolute(options.base);
    self_ = fs::read_symlink("/proc/self/exe");
  }

  Gate run() {
    if (options_.rounds < kLeastRounds) {
      throw UsageError("--rounds " + std::to_string(options_.rounds) +
                       ": fewer than 7 rounds have no interval; write 7 or more");
    }
    if (!fs::is_regular_file(base_)) {
      throw FormatError(options_.base + ": is no program; give another build's rotor-bench");
    }
    copy_ = scratch_.path() / "base-copy";
    fs::copy_file(base_, copy_);
    try {
      check_both();
      if (exit_code(gate_.checks) == kExitOk) time_both();
    } catch (const Interruption&) {
      gate_.interrupted = true;
    }
    judge(gate_);
    gate_.wall_s = now();
    return std::move(gate_);
  }

 private:
  struct Interruption {};

  double now() const { return steady_seconds() - start_; }

  // Runs a program on the gate suite and reads its report.
  Report measure(const fs::path& program, std::uint64_t seed, const char* mode,
                 const std::string& filter) {
    const std::string out = scratch_.path() / "round.json";
    std::error_code ignored;
    fs::remove(out, ignored);
    std::vector<std::string> argv = {
        program, "--suite", "gate", mode, "--no-roofline", "--seed", std::to_string(seed),
        "--out", out};
    if (!options_.device.empty()) argv.insert(argv.end(), {"--device", options_.device});
    argv.insert(argv.end(), options_.args.begin(), options_.args.end());
    if (!filter.empty()) argv.insert(argv.end(), {"--filter", filter});
    // Where the stack lies changes times by percents; it must not be the same in every process.
    const std::string padding = "ROTOR_PADDING=" + std::string(random_.below(4096), 'x');
    const ProcessEnd end =
        run_process(argv, kProcessTimeout, scratch_.path() / "stderr.txt", padding);
    if (interrupted()) throw Interruption{};
    if (end.timed_out || !fs::exists(out)) {
      throw DeviceError(program.string() + ": " +
                        (end.timed_out ? "took too long and was ended"
                                       : "left no report (exit " + std::to_string(end.code) +
                                             "): " + end.last_line));
    }
    return read_json(load_file(out), program.string());
  }

  // Every kernel of the suite, and the cases themselves, before anything is timed.
  void check_both() {
    talk_ << "gate: checking both builds\n" << std::flush;
    const Report a = measure(base_, options_.seed, "--verify-only", "");
    const Report b = measure(self_, options_.seed, "--verify-only", "");
    gate_.checks = compare(a, options_.base, b, self_.string(), CompareRules{});
    gate_.notes = b.machine.warnings;
    for (const CaseResult& r : b.results) {
      const bool in_a = std::any_of(a.results.begin(), a.results.end(), [&](const CaseResult& x) {
        return x.spec.id == r.spec.id && x.verdict.passed();
      });
      if (in_a && r.verdict.passed()) gate_.cases.push_back({.id = r.spec.id});
    }
    if (gate_.cases.empty()) throw UsageError("the two builds have no case of the gate in common");
  }

  void time_both() {
    bool swapped = random_.below(2) == 1;
    const std::uint32_t controls = (gate_.rules.rounds + 2) / 3;
    for (std::uint32_t round = 0; round < 2 * gate_.rules.rounds; ++round) {
      if (round >= gate_.rules.rounds && !worth_more_rounds()) break;
      talk_ << "gate: round " << round + 1 << '\n' << std::flush;
      run_round(swapped, round < controls, "", false);
      swapped = !swapped;  // ABBA: drift and order weigh on both alike
    }
    confirm();
  }

  // More rounds may decide what is open, unless something has to be confirmed in the time left.
  bool worth_more_rounds() {
    judge(gate_);
    const bool open = std::any_of(gate_.cases.begin(), gate_.cases.end(), [](const GateCase& c) {
      return c.verdict == GateVerdict::Inconclusive && !c.candidate;
    });
    const double each = now() / static_cast<double>(gate_.cases.front().a_s.size() + 2);
    return open && now() + each < options_.budget_s;
  }

  // Twice as many rounds, in new processes, of the cases that seem slower: only these decide.
  void confirm() {
    judge(gate_);
    std::string pattern;
    for (const GateCase& c : gate_.cases) {
      if (c.candidate) pattern += (pattern.empty() ? "^(" : "|") + c.id;
    }
    if (pattern.empty()) return;
    bool swapped = random_.below(2) == 1;
    for (std::uint32_t round = 0; round < 2 * gate_.rules.rounds; ++round) {
      talk_ << "gate: confirming, round " << round + 1 << '\n' << std::flush;
      run_round(swapped, false, pattern + ")$", true);
      swapped = !swapped;
    }
  }

  void run_round(bool swapped, bool control, const std::string& filter, bool confirming) {
    const std::uint64_t seed = random_.bits() >> 1;
    const auto a = [&] {
      keep(measure(base_, seed, "--round", filter),
           confirming ? &GateCase::confirm_a_s : &GateCase::a_s);
    };
    const auto b = [&] {
      keep(measure(self_, seed, "--round", filter),
           confirming ? &GateCase::confirm_b_s : &GateCase::b_s);
    };
    // The copy is run on A's side, so that it stands to A as B does.
    const auto again = [&] {
      if (control) keep(measure(copy_, seed, "--round", filter), &GateCase::control_s);
    };
    if (swapped) {
      b();
      again();
      a();
    } else {
      a();
      again();
      b();
    }
  }

  void keep(const Report& report, std::vector<double> GateCase::*times) {
    for (const CaseResult& r : report.results) {
      const auto found = std::find_if(gate_.cases.begin(), gate_.cases.end(),
                                      [&](const GateCase& c) { return c.id == r.spec.id; });
      if (found == gate_.cases.end()) continue;
      if (!r.measurement) {
        throw DeviceError(r.spec.id + ": " + std::string(status_name(r.verdict.status)) +
                          " in a round, though it passed before: " + r.verdict.message);
      }
      (*found.*times).push_back(median(r.measurement->samples_s));
    }
  }

  const GateOptions& options_;
  std::ostream& talk_;
  Random random_;
  ScratchFolder scratch_;
  fs::path base_;
  fs::path self_;
  fs::path copy_;
  Gate gate_;
  double start_ = steady_seconds();
};

}  // namespace

int run_gate(const GateOptions& options, std::ostream& out, std::ostream& talk) {
  if (options.base.ends_with(".json")) return run_look(options, out, talk);
  for (const std::string& path : options.outs) {
    if (format_of(path) == "csv") throw UsageError("--out " + path + ": a gate has no .csv");
    check_writable(path);
  }
  const Gate gate = Gating(options, talk).run();
  const int code = exit_code(gate, options.fail_on_inconclusive);
  const Document document = document_of(gate, code);
  out << console_text(document) << std::flush;
  for (const std::string& path : options.outs) {
    const std::string format = format_of(path);
    save_file(path, format == "json"       ? gate_json(gate, code)
                    : format == "html"     ? html_text(document)
                    : format == "markdown" ? markdown_text(document)
                                           : console_text(document));
    talk << "gate: " << path << '\n';
  }
  return code;
}

}  // namespace rotor
