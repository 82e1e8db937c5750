// Two builds in turns: workers of both, round after round, slice by slice, and what a gate makes of
// their times.

#include "reports/gate.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>

#include "bench/bench.h"
#include "bench/gate_side.h"
#include "bench/look.h"
#include "bench/process.h"
#include "bench/sampling.h"
#include "bench/scratch_folder.h"
#include "core/error.h"
#include "core/random.h"
#include "core/written.h"
#include "model/commands.h"
#include "reports/text.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kLeastRounds = 7;  // fewer have no exact interval (A.4)
constexpr double kCheckTimeout = 120;      // seconds; checking takes one
// Seconds for the slices of one case in one round, and turns at least. What a virtual machine and its
// neighbours do to times lasts for tenths of seconds: turns of milliseconds meet it alike.
constexpr double kCaseSeconds = 0.2;
constexpr std::uint32_t kLeastTurns = 4;

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
    } catch (const GateSide::Interruption&) {
      gate_.interrupted = true;
    } catch (const WrongInB& wrong) {  // whatever the times
      gate_.checks.outcomes.push_back(wrong.outcome);
    }
    judge(gate_);
    gate_.wall_s = now();
    return std::move(gate_);
  }

 private:
  struct WrongInB {
    OutcomeChange outcome;
  };

  double now() const { return steady_seconds() - start_; }

  std::string device() const { return options_.device.empty() ? "cpu" : options_.device; }

  // Where the stack lies changes times by percents; it must not be the same in every process.
  std::string padding() { return "ROTOR_PADDING=" + std::string(random_.below(4096), 'x'); }

  std::vector<std::string> common_args(std::uint64_t seed) const {
    std::vector<std::string> args = {"--seed=" + std::to_string(seed)};
    args.push_back("--device=" + device());
    args.insert(args.end(), options_.args.begin(), options_.args.end());
    return args;
  }

  // Lets a program check what the gate will time, and reads its report.
  Report check(const fs::path& program) {
    const std::string out = scratch_.path() / "checks.json";
    std::error_code ignored;
    fs::remove(out, ignored);
    std::vector<std::string> argv = {program,         "--suite", "gate", "--verify-only",
                                     "--no-roofline", "--out",   out};
    const std::vector<std::string> more = common_args(options_.seed);
    argv.insert(argv.end(), more.begin(), more.end());
    const ProcessEnd end =
        run_process(argv, kCheckTimeout, scratch_.path() / "stderr.txt", padding());
    if (interrupted()) throw GateSide::Interruption{};
    if (end.timed_out || !fs::exists(out)) throw_no_report(program, end);
    return read_json(load_file(out), program.string());
  }

  // Every kernel of the suite, and the cases themselves, before anything is timed.
  void check_both() {
    talk_ << "gate: checking both builds\n" << std::flush;
    const Report a = check(base_);
    const Report b = check(self_);
    gate_.checks = compare(a, options_.base, b, self_.string(), CompareRules{});
    gate_.notes = b.machine.warnings;
    for (const CaseResult& r : b.results) {
      const bool in_a = std::any_of(a.results.begin(), a.results.end(), [&](const CaseResult& x) {
        return x.spec.id == r.spec.id && x.verdict.passed();
      });
      if (in_a && r.verdict.passed()) gate_.cases.push_back({.id = r.spec.id});
    }
    if (gate_.cases.empty()) throw UsageError("the two builds have no case of the gate in common");
    cost_s_.assign(gate_.cases.size(), 0);
  }

  void time_both() {
    const std::uint32_t controls = (gate_.rules.rounds + 2) / 3;
    const std::vector<std::size_t> all = chosen([](const GateCase&) { return true; });
    for (std::uint32_t round = 0; round < gate_.rules.rounds; ++round) {
      talk_ << "gate: round " << round + 1 << '\n' << std::flush;
      run_round(all, round < controls, &GateCase::rounds);
      if (round + 1 >= kLeastRounds && now() + cost(all) > options_.budget_s) break;
    }
    decide_open();
    confirm();
  }

  template <typename Wanted>
  std::vector<std::size_t> chosen(const Wanted& wanted) const {
    std::vector<std::size_t> cases;
    for (std::size_t i = 0; i < gate_.cases.size(); ++i) {
      if (wanted(gate_.cases[i])) cases.push_back(i);
    }
    return cases;
  }
  std::vector<std::size_t> candidates() const {
    return chosen([](const GateCase& c) { return c.candidate; });
  }
  double cost(const std::vector<std::size_t>& cases) const {
    double sum = 0;
    for (const std::size_t i : cases) sum += cost_s_[i];
    return sum;
  }

  // More rounds may decide what is open, as far as the time that confirming takes is not touched.
  void decide_open() {
    for (std::uint32_t round = 0; round < gate_.rules.rounds; ++round) {
      judge(gate_);
      const std::vector<std::size_t> open = chosen(
          [](const GateCase& c) { return c.verdict == GateVerdict::Inconclusive && !c.candidate; });
      const double reserved = 2 * gate_.rules.rounds * cost(candidates());
      if (open.empty() || now() + cost(open) + reserved > options_.budget_s) return;
      talk_ << "gate: round " << gate_.rules.rounds + round + 1 << " of what is open\n"
            << std::flush;
      run_round(open, false, &GateCase::rounds);
    }
  }

  // Twice as many rounds, in new processes, of the cases that seem slower: only these decide.
  void confirm() {
    judge(gate_);
    const std::vector<std::size_t> cases = candidates();
    for (std::uint32_t round = 0; !cases.empty() && round < 2 * gate_.rules.rounds; ++round) {
      talk_ << "gate: confirming, round " << round + 1 << '\n' << std::flush;
      run_round(cases, false, &GateCase::confirming);
    }
  }

  // New processes of both builds, and of the copy for a control, on the same data.
  void run_round(std::vector<std::size_t> cases, bool control,
                 std::vector<GateRound> GateCase::*rounds) {
    const std::vector<std::string> args = common_args(random_.bits() >> 1);
    std::vector<std::unique_ptr<GateSide>> sides;
    sides.push_back(std::make_unique<GateSide>(base_, args, padding()));
    if (control) sides.push_back(std::make_unique<GateSide>(copy_, args, padding()));
    sides.push_back(std::make_unique<GateSide>(self_, args, padding()));
    bool slices = true;
    for (const auto& side : sides) {
      side->await_start(device() == "cpu");
      slices &= side->knows_slices();
    }
    const auto ask = slices ? GateSide::Ask::Slices : GateSide::Ask::Visits;
    for (std::size_t i = cases.size(); i > 1; --i) std::swap(cases[i - 1], cases[random_.below(i)]);
    for (const std::size_t i : cases) {
      const double begin = now();
      (gate_.cases[i].*rounds).push_back(take_turns(sides, gate_.cases[i].id, ask));
      cost_s_[i] = now() - begin;
    }
  }

  // One case on all sides: A, copy, B, then backwards, and so on. Drift and order weigh on all alike.
  GateRound take_turns(const std::vector<std::unique_ptr<GateSide>>& sides, const std::string& id,
                       GateSide::Ask ask) {
    for (const auto& side : sides) side->begin(id, ask, now());
    for (const auto& side : sides) side->await_begun();
    const double begin = now();
    const std::size_t n = sides.size();
    const bool swapped = random_.below(2) == 1;
    GateRound round{.b_first = swapped};
    for (std::uint32_t turn = 0;
         turn < kLeastTurns || turn % 2 == 1 || now() - begin < kCaseSeconds; ++turn) {
      const bool backwards = (turn % 2 == 1) != swapped;
      for (std::size_t i = 0; i < n; ++i) sides[backwards ? n - 1 - i : i]->slice(now());
    }
    keep_times(*sides.front(), id, false, round.a_s);
    if (n > 2) keep_times(*sides[1], id, false, round.control_s);
    keep_times(*sides.back(), id, true, round.b_s);
    // Times are paired by turn.
    const auto is_odd = [&](const std::vector<double>& s) { return s.size() != round.a_s.size(); };
    if (round.a_s.empty() || is_odd(round.b_s) || (n > 2 && is_odd(round.control_s))) {
      throw DeviceError(id + ": a turn went without a time");
    }
    return round;
  }

  void keep_times(GateSide& side, const std::string& id, bool is_b, std::vector<double>& times) {
    const CaseResult result = side.end(now());
    times = side.slices_s();
    if (result.measurement) return;
    const std::string status(status_name(result.verdict.status));
    if (!is_b || !is_wrong(result.verdict.status)) {
      throw DeviceError(id + ": " + status +
                        " in a round, though it passed before: " + result.verdict.message);
    }
    throw WrongInB{{id, result.device, "pass", status, result.verdict.message, false, true}};
  }

  const GateOptions& options_;
  std::ostream& talk_;
  Random random_;
  ScratchFolder scratch_;
  fs::path base_;
  fs::path self_;
  fs::path copy_;
  Gate gate_;
  std::vector<double> cost_s_;  // [cases] of their last round
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
  out << printable(console_text(document));
  for (const std::string& path : options.outs) {
    const std::string format = format_of(path);
    save_file(path, format == "json"       ? gate_json(gate, code)
                    : format == "html"     ? html_text(document)
                    : format == "markdown" ? markdown_text(document)
                                           : console_text(document));
    talk << "gate: " << path << '\n';
  }
  check_written(out, "the gate's result");  // last: files are written all the same
  return code;
}

}  // namespace rotor
