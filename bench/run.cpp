#include <algorithm>
#include <ctime>
#include <ostream>
#include <random>
#include <sstream>

#include "bench/bench.h"
#include "bench/device_run.h"
#include "bench/facts.h"
#include "bench/outcome.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/sampler_check.h"
#include "bench/sampling.h"
#include "core/error.h"
#include "core/written.h"
#include "model/commands.h"
#include "reports/journal.h"
#include "reports/simulated_gate.h"
#include "reports/text.h"
#include "verify/kv_ab.h"

namespace rotor {
namespace {

std::string utc(const char* format) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  std::strftime(text, sizeof text, format, &parts);
  return text;
}

std::string hex(std::uint64_t value) {
  std::ostringstream out;
  out << std::hex << value;
  return out.str();
}

// A run writes JSON only. Other names are taken as they are, but not those of other formats.
void require_json(const std::string& out) {
  for (const std::string ending : {".html", ".md", ".csv", ".txt", ".xml"}) {
    if (!out.ends_with(ending)) continue;
    const std::string json = out.substr(0, out.size() - ending.size()) + ".json";
    throw UsageError("--out " + out + ": a run writes JSON; write --out " + json +
                     ", then rotor-bench show " + json + " --out " + out);
  }
}

// "report.json" -> "report.jsonl"
std::string journal_path(const std::string& out) {
  if (out.empty() || out == "-") return "";
  return out.ends_with(".json") ? out + "l" : out + ".jsonl";
}

std::vector<KnownIssue> known_issues_for(const BenchOptions& options) {
  const std::string& file = options.known_issues;
  return file.empty() ? read_known_issues(built_in_known_issues(), "the built-in known issues")
                      : read_known_issues(load_file(file), file);
}

class BenchRun {
 public:
  BenchRun(const BenchOptions& options, std::ostream& out, std::ostream& talk)
      : options_(options),
        out_(options.out == "-" ? talk : out),
        json_out_(out),
        progress_(talk, options.terminal),
        known_issues_(known_issues_for(options), utc("%Y-%m-%d")),
        plan_(make_plan(options)),
        journal_(journal_path(options.out),
                 options.resume ? Journal::Open::Resume : Journal::Open::New) {}

  int run() {
    try {
      options_.resume ? resume() : start();
      self_test();
      if (plan_.quality) check_drawing();
      for (std::size_t d = 0; d < plan_.devices.size() && !interrupted(); ++d) run_device(d);
      finish();
    } catch (const OutputError& error) {
      // The journal cannot grow. What it holds stays; what is known is shown.
      end({kExitCannotWrite, error.what(), now()});
    }
    return show();
  }

 private:
  double now() const { return steady_seconds() - start_ + resumed_at_s_; }

  void start() {
    RunStart start;
    start.run.id = utc("%Y%m%dT%H%M%SZ") + "-" + hex(std::random_device{}());
    start.run.started_at = utc("%Y-%m-%dT%H:%M:%SZ");
    start.run.argv = options_.argv;
    start.run.suite = options_.suite;
    start.run.seed = options_.seed;
    start.run.build = this_build();
    start.run.options = effective_options(options_, plan_.model);
    start.run.context = options_.context;
    start.run.plan_hash = plan_.hash();
    start.machine = read_machine();
    const ClockCheck clock = check_clock(steady_seconds);
    for (const DeviceInfo& device : plan_.devices) {
      start.devices.push_back(facts_of(device, clock));
      if (plan_.kv || plan_.quality) tell_tuning(device, start.devices.back());
    }
    start.machine.hw_key = hardware_key(start.machine, start.devices);
    start.machine.sw_key = software_key(start.machine, start.run.build, start.devices);
    start.machine.warnings = environment_warnings(start.machine, start.run.build);
    for (const std::string& w : clock_warnings(clock)) start.machine.warnings.push_back(w);
    for (const PlannedCase& planned : plan_.cases) start.plan.push_back(planned.result);
    journal_.append(start);
    for (const AbsentBackend& absent : plan_.absent) {
      const std::string backend(backend_name(absent.backend));
      journal_.append(Event{now(), "backend_absent", "", backend + ": " + absent.reason});
    }
    out_ << heading(journal_.report()) << std::flush;
  }

  // The suites that run models do so as the record says.
  void tell_tuning(const DeviceInfo& device, DeviceFacts& facts) {
    const Tuning tuning(device, options_.tuning);
    if (!tuning.empty()) facts.features["tuned"] = count_of(tuning.size(), "product");
    warnings_.insert(warnings_.end(), tuning.complaints().begin(), tuning.complaints().end());
  }

  // Goes on with what the journal lacks. Cases that were visited are not visited again.
  void resume() {
    const Report& known = journal_.report();
    if (known.run.plan_hash != plan_.hash() ||
        known.machine.hw_key != hardware_key(read_machine(), known.devices)) {
      throw UsageError("--resume: " + journal_path(options_.out) +
                       " is of other cases or another machine; repeat the flags of that run");
    }
    for (std::size_t i = 0; i < plan_.cases.size(); ++i) {
      plan_.cases[i].result.verdict.status = known.results[i].verdict.status;
      resumed_at_s_ = std::max(resumed_at_s_, known.results[i].end_s);
    }
    journal_.append(Event{now(), "resumed", "", known.run.id});
    out_ << heading(known) << std::flush;
  }

  // A run of a whole suite begins by showing that its checks can fail.
  void self_test() {
    const bool whole = options_.self_test || options_.filters.empty();
    const bool kernels = whole && (options_.self_test || options_.suite == "all");
    const bool kv = whole && (kernels || plan_.kv);
    const Run& known = journal_.report().run;
    if ((!kernels && !kv) || known.self_test || known.kv_self_test) return;
    const double begin = now();
    progress_.show("self-test", "injected bugs", -1);
    const std::unique_ptr<Device> cpu = open_cpu(options_.device_options);
    SelfTestDone done;
    if (kernels) done.kernels = count(run_kernel_self_test(*cpu, options_.seed));
    if (kv) done.kv = count(run_kv_self_test(*cpu, options_.seed));
    if (options_.self_test) {
      test_gpus(*done.kernels);
      progress_.show("self-test", "seeded slow-downs", -1);
      done.gate = run_gate_self_test(options_.seed);
    }
    journal_.append(done);
    self_test_s_ = now() - begin;
  }

  // Each device gets an equal part of what is left.
  void run_device(std::size_t d) {
    const double begin = now();
    const double parts = static_cast<double>(plan_.devices.size() - d);
    DeviceRun device(
        {options_, plan_, journal_, progress_, known_issues_, warnings_, [this] { return now(); }},
        plan_.devices[d], begin + (options_.budget_s + resumed_at_s_ - begin) / parts);
    device.run();
    const double wanted = now() - begin + device.left_out_s();
    enough_s_ = std::max(enough_s_, begin - resumed_at_s_ + left_out_s_ + parts * wanted);
    left_out_s_ += device.left_out_s();
  }

  // A time without its check is worth nothing, so checks are not cut short, however small the budget.
  void tell_long_checks() {
    double checks_s = self_test_s_;
    for (const RowCheck& row : journal_.report().battery) checks_s += row.seconds;
    if (checks_s < options_.budget_s) return;
    warnings_.push_back("checking kernels took " + show_seconds(checks_s, 2) +
                        ", more than --budget: checks are never cut short");
  }

  static MutantCount count(const SelfTest& found) {
    return {found.mutants, found.caught, found.missed};
  }

  // Only where nothing else is to be run: a driver that dies of a wrong kernel ends the program.
  void test_gpus(MutantCount& kernels) {
    for (const DeviceInfo& info : plan_.devices) {
      if (info.backend == Backend::Cpu) continue;
      progress_.show("self-test", "injected bugs on " + info.id, -1);
      const std::unique_ptr<Device> device = open_device(info.id, options_.device_options);
      const SelfTest found = run_gpu_self_test(*device, options_.seed);
      kernels.mutants += found.mutants;
      kernels.caught += found.caught;
      kernels.missed.insert(kernels.missed.end(), found.missed.begin(), found.missed.end());
    }
  }

  // The sampler runs on the host, so once is enough.
  void check_drawing() {
    for (const SamplerCheck& check : check_sampler(options_.seed)) {
      if (plan_.filter.matches("sampler/" + check.filter)) journal_.append(check);
    }
  }

  void finish() {
    for (Event event : known_issues_.complaints()) {
      event.t_s = now();
      journal_.append(event);
    }
    if (!options_.self_test) tell_long_checks();
    end(decide(journal_.report(), options_, plan_.kv || plan_.quality, now(), enough_s_));
  }

  void end(const Summary& summary) {
    RunEnd end;
    end.ended_at = utc("%Y-%m-%dT%H:%M:%SZ");
    end.complete = summary.exit_code != kExitInterrupted && summary.exit_code != kExitCannotWrite;
    end.power = read_power();
    end.warnings = warnings_;
    end.summary = summary;
    journal_.append(end);
  }

  // Tables and report. What cannot be written after all changes the exit code, the tables only where
  // there is no report.
  int show() {
    progress_.clear();
    const Report& report = journal_.report();
    out_ << result_tables(report) << closing_block(report) << std::flush;
    int code = report.summary.exit_code;
    std::string failure = code == kExitCannotWrite ? report.summary.exit_reason : "";
    try {
      if (options_.out.empty()) check_written(out_, "the result");
      write_report();
    } catch (const OutputError& error) {
      if (failure.empty()) failure = error.what();
      code = kExitCannotWrite;
    }
    if (!failure.empty()) progress_.say("rotor-bench: " + failure);
    return code;
  }

  void write_report() {
    if (options_.out.empty()) return;
    const std::string json = write_json(journal_.report());
    if (options_.out == "-") {
      json_out_ << json;
      return check_written(json_out_, "the report");
    }
    save_file(options_.out, json);
    progress_.say("report: " + options_.out + ", journal: " + journal_path(options_.out));
  }

  const BenchOptions& options_;
  std::ostream& out_;
  std::ostream& json_out_;
  Progress progress_;
  KnownIssues known_issues_;
  BenchPlan plan_;
  Journal journal_;
  std::vector<std::string> warnings_;
  double start_ = steady_seconds();
  double resumed_at_s_ = 0;  // what the run before took
  double self_test_s_ = 0;
  double left_out_s_ = 0;  // what did not fit into the budget, in seconds
  double enough_s_ = 0;    // a budget, about, that it fits into
};

}  // namespace

int run_bench(const BenchOptions& options, std::ostream& out, std::ostream& talk) {
  require_json(options.out);
  if (!options.out.empty() && options.out != "-") check_writable(options.out);
  if (!options.resume) return BenchRun(options, out, talk).run();
  const std::string journal = journal_path(options.out);
  if (journal.empty()) throw UsageError("--resume needs --out, beside which the journal lies");
  BenchOptions same = options;  // data and order are those of the run that goes on
  same.seed = replay_journal(journal).run.seed;
  return BenchRun(same, out, talk).run();
}

}  // namespace rotor
