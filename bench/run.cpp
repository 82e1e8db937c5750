#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <ostream>
#include <random>
#include <sstream>

#include "bench/bench.h"
#include "bench/facts.h"
#include "bench/kv.h"
#include "bench/measure.h"
#include "bench/outcome.h"
#include "bench/pace.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/quality.h"
#include "bench/roofline.h"
#include "bench/sampler_check.h"
#include "bench/visit.h"
#include "core/error.h"
#include "core/stats.h"
#include "model/commands.h"
#include "model/session.h"
#include "reports/journal.h"
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

// "report.json" -> "report.jsonl"
std::string journal_path(const std::string& out) {
  if (out.empty() || out == "-") return "";
  return out.ends_with(".json") ? out + "l" : out + ".jsonl";
}

// A run with less time left than this, in seconds, is too short for limits of its own.
constexpr double kLeastForRoofs = 20;
// Seconds of samples of each case in a round of a gate.
constexpr double kRoundSlice = 0.04;
// Limits are looked at again after so many seconds, and told when they fell by more than this.
constexpr double kControlEvery = 30;
constexpr double kDrift = 0.10;

class BenchRun {
 public:
  BenchRun(const BenchOptions& options, std::ostream& out, std::ostream& talk)
      : options_(options),
        out_(options.out == "-" ? talk : out),
        json_out_(out),
        progress_(talk, options.terminal),
        plan_(make_plan(options)),
        journal_(journal_path(options.out),
                 options.resume ? Journal::Open::Resume : Journal::Open::New) {}

  int run() {
    try {
      options_.resume ? resume() : start();
      self_test();
      if (plan_.quality) check_drawing();
      for (std::size_t d = 0; d < plan_.devices.size() && !interrupted(); ++d) {
        // Each device gets an equal part of what is left.
        deadline_s_ = now() + (options_.budget_s + resumed_at_s_ - now()) /
                                  static_cast<double>(plan_.devices.size() - d);
        run_device(*plan_.devices[d]);
      }
      finish();
    } catch (const OutputError& error) {
      // The journal cannot grow. What it holds stays; what is known is shown.
      end({kExitCannotWrite, error.what(), now()});
    }
    return show();
  }

 private:
  double now() const { return steady_seconds() - start_ + resumed_at_s_; }
  double remaining() const { return deadline_s_ - now(); }

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
    for (const auto& device : plan_.devices) start.devices.push_back(facts_of(device->info()));
    start.machine.hw_key = hardware_key(start.machine, start.devices);
    start.machine.sw_key = software_key(start.machine, start.run.build, start.devices);
    start.machine.warnings = environment_warnings(start.machine, start.run.build);
    for (const PlannedCase& planned : plan_.cases) start.plan.push_back(planned.result);
    journal_.append(start);
    for (const AbsentBackend& absent : plan_.absent) {
      const std::string backend(backend_name(absent.backend));
      journal_.append(Event{now(), "backend_absent", "", backend + ": " + absent.reason});
    }
    out_ << heading(journal_.report()) << std::flush;
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
    if ((!kernels && !kv) || options_.round || known.self_test || known.kv_self_test) return;
    progress_.show("self-test", "injected bugs", -1);
    const std::unique_ptr<Device> cpu = open_cpu(options_.device_options);
    const auto count = [](const SelfTest& found) {
      return MutantCount{found.mutants, found.caught, found.missed};
    };
    SelfTestDone done;
    if (kernels) done.kernels = count(run_kernel_self_test(*cpu, options_.seed));
    if (kv) done.kv = count(run_kv_self_test(*cpu, options_.seed));
    journal_.append(done);
  }

  void run_device(Device& device) {
    Visitor visitor(device);
    if (options_.round) {
      visit_once(device, visitor);
      return;
    }
    check_rows(device, visitor);
    const bool timed = !options_.verify_only && !plan_.units_of(device.info()).empty();
    if (timed && options_.roofline && remaining() > kLeastForRoofs && !interrupted()) {
      progress_.show("roofline", device.info().id, -1);
      roof_meter_ = std::make_unique<RoofMeter>(device);
      add_roofs(roof_meter_->measure_all("start"));
    }
    if (plan_.kv) run_kv(device);
    if (plan_.quality && !options_.verify_only) run_quality(device);
    visit_cases(device, visitor);
    if (roof_meter_) add_roofs(roof_meter_->measure_controls("end"));
    roof_meter_.reset();
    warn_of_drift(device.info().id);
  }

  void add_roofs(const std::vector<Roof>& roofs) {
    for (const Roof& roof : roofs) journal_.append(roof);
    controlled_s_ = now();
  }

  void warn_of_drift(const std::string& device) {
    const double drift = roof_drift(journal_.report().roofs, device);
    if (drift > kDrift) {
      warnings_.push_back(device + " was " + show_percent(drift) +
                          " slower at the end than at the start: it throttles, or was disturbed");
    }
  }

  bool is_checked(const KernelVariant& variant, const DeviceInfo& device) const {
    const std::vector<RowCheck>& done = journal_.report().battery;
    return std::any_of(done.begin(), done.end(), [&](const RowCheck& r) {
      return r.variant == variant.name && r.device == device.id;
    });
  }

  void check_rows(Device& device, Visitor& visitor) {
    const std::vector<const KernelVariant*> rows = plan_.rows_of(device.info());
    for (std::size_t i = 0; i < rows.size() && !interrupted(); ++i) {
      progress_.show(
          "checking kernels " + std::to_string(i + 1) + "/" + std::to_string(rows.size()),
          std::string(rows[i]->name), -1);
      if (is_checked(*rows[i], device.info())) continue;
      const RowCheck row = visitor.check_row(*rows[i], options_.seed, plan_.repro_row(*rows[i]));
      if (!row.verdict.passed()) distrust(row);
      journal_.append(row);
    }
  }

  // A random model first: its attention shows what a trained one may hide. In a run of everything a
  // quarter of the time at most, because software devices would need all of it. Suite "model" is about
  // the times: it checks less before them.
  void run_kv(Device& device) {
    const bool times_only = options_.suite == "model";
    const double until_s = now() + remaining() / (options_.suite == "all" ? 4 : 1);
    bool complete = true;
    KvSuite suite;
    suite.seed = options_.seed;
    suite.go_on = [&] { return complete = now() < until_s && !interrupted(); };
    suite.on_result = [&](const KvResult& result) {
      const std::vector<KvResult>& done = journal_.report().kv;
      const bool known = std::any_of(done.begin(), done.end(), [&](const KvResult& r) {
        return r.id == result.id && r.device == result.device;
      });
      if (!known && plan_.filter.matches(result.id)) journal_.append(result);
      progress_.show("KV cache", result.id, until_s - now());
    };
    suite.on_timing = [&](const KvTiming& timing) {
      journal_.append(timing);
      progress_.show("KV cache", "position " + std::to_string(timing.position), until_s - now());
    };
    if (times_only) suite.positions = 72;
    suite.model = "random";
    check_kv(device, *random_untied_model(options_.seed), suite);
    const std::unique_ptr<Checkpoint> checkpoint = open_checkpoint(plan_.model);
    suite.model = options_.model.empty() ? "demo" : "model";
    if (complete && !times_only && fits_kv_ab(checkpoint->config()))
      check_kv(device, *checkpoint, suite);
    if (complete && !options_.verify_only)
      time_kv(device, *checkpoint, suite, remaining() / (times_only ? 50 : 200));
    if (!complete && !interrupted()) {
      warnings_.push_back("the KV suite on " + device.info().id +
                          " was cut short for lack of time; raise --budget");
    }
  }

  // The sampler runs on the host, so once is enough.
  void check_drawing() {
    for (const SamplerCheck& check : check_sampler(options_.seed)) {
      if (plan_.filter.matches("sampler/" + check.filter)) journal_.append(check);
    }
  }

  // On its own it may use all the time, beside others a fifth.
  void run_quality(Device& device) {
    QualitySuite suite;
    suite.alone = options_.suite == "quality";
    suite.model = options_.model.empty() ? "demo" : "model";
    suite.text = plan_.text;
    suite.text_name = plan_.text_name;
    suite.time_s = suite.alone ? remaining() : remaining() / 5;
    suite.wanted = [&](const std::string& id) { return plan_.filter.matches(id); };
    suite.on_result = [&](const QualityResult& result) { journal_.append(result); };
    suite.go_on = [&](const std::string& step) {
      progress_.show("quality", step, remaining());
      return !interrupted();
    };
    const std::string left_out = measure_quality(device, plan_.model, suite);
    if (!left_out.empty()) warnings_.push_back("the quality suite was left out: " + left_out);
  }

  // A row that failed its battery is not trusted with larger shapes, nor timed.
  void distrust(const RowCheck& row) {
    for (PlannedCase& planned : plan_.cases) {
      CaseResult& result = planned.result;
      if (planned.variant->name != row.variant || result.device != row.device ||
          result.verdict.status != Status::NotRun) {
        continue;
      }
      result.verdict.status = row.verdict.status;
      result.verdict.reason_code = "battery_failed";
      result.verdict.message = "failed on small shapes: " + row.verdict.message;
      journal_.append(result);
    }
  }

  void visit_cases(Device& device, Visitor& visitor) {
    Pace pace(plan_.units_of(device.info()), options_.seed);
    std::size_t visits = 0;
    while (!interrupted()) {
      const std::optional<Visit> visit = pace.next(remaining());
      if (!visit) break;
      const Unit& unit = pace.units()[visit->unit];
      const std::string step = "round " + std::to_string(visit->round) + ", visit " +
                               std::to_string(++visits) + " of " +
                               std::to_string(Pace::kUsualRounds * pace.units().size());
      progress_.show(step, plan_.cases[unit.cases.front()].result.spec.id,
                     pace.estimate_left(remaining()));
      pace.finished(*visit, visit_unit(visitor, unit, visit->slice_s));
      if (roof_meter_ && now() - controlled_s_ > kControlEvery) {
        add_roofs(roof_meter_->measure_controls("middle"));
      }
    }
    if (!interrupted()) tell_left_out(pace);
  }

  // One round of a gate: each case once, for a fixed time, in an order that follows from the seed.
  void visit_once(Device& device, Visitor& visitor) {
    Pace order(plan_.units_of(device.info()), options_.seed);
    const std::size_t count = order.units().size();
    for (std::size_t i = 0; i < count && !interrupted(); ++i) {
      // A budget that is never used up makes the first round of the pace an order and nothing else.
      const std::optional<Visit> visit = order.next(1e9);
      order.finished(*visit, visit_unit(visitor, order.units()[visit->unit], kRoundSlice));
    }
  }

  VisitCost visit_unit(Visitor& visitor, const Unit& unit, double slice_s) {
    VisitCost cost;
    cost.converged = true;
    SamplingRules rules;
    rules.time_s = slice_s;
    if (options_.round) {
      rules.min_samples = 5;
      rules.target = 0;  // as long for A as for B
    }
    const double begin = steady_seconds();
    double sampling_s = 0;
    for (const std::size_t index : unit.cases) {
      const PlannedCase& planned = plan_.cases[index];
      run_registered(planned.result.spec.id, [&] {
        const CaseResult result =
            visitor.visit(*planned.variant, planned.result, options_.verify_only ? nullptr : &rules,
                          [this] { return now(); });
        journal_.append(result);
        cost.passed &= result.verdict.passed();
        if (!result.measurement) return 0.0;
        cost.converged &= result.measurement->stop == StopReason::Converged;
        cost.launch_s = median(result.measurement->samples_s);
        sampling_s += result.phases_s.at("sample");
        return cost.launch_s;
      });
    }
    cost.overhead_s = steady_seconds() - begin - sampling_s;
    if (options_.verify_only) cost.passed = false;  // one visit is enough
    return cost;
  }

  void tell_left_out(const Pace& pace) {
    for (const std::size_t index : pace.left_out()) {
      for (const std::size_t c : pace.units()[index].cases) {
        CaseResult result = plan_.cases[c].result;
        result.verdict.status = Status::Skipped;
        result.verdict.reason_code = "budget";
        result.verdict.message = "no time left for it; raise --budget";
        journal_.append(result);
      }
    }
    if (const std::size_t once = pace.visited_once(); once > 0 && !options_.verify_only) {
      warnings_.push_back(std::to_string(once) + " of " + std::to_string(pace.units().size()) +
                          " kernel and shape pairs were visited once only for lack of time");
    }
  }

  void finish() { end(decide(journal_.report(), options_, plan_.kv || plan_.quality, now())); }

  void end(const Summary& summary) {
    RunEnd end;
    end.ended_at = utc("%Y-%m-%dT%H:%M:%SZ");
    end.complete = summary.exit_code != kExitInterrupted && summary.exit_code != kExitCannotWrite;
    end.power = read_power();
    end.warnings = warnings_;
    end.summary = summary;
    journal_.append(end);
  }

  // Tables and report. A report that cannot be written after all changes the exit code.
  int show() {
    progress_.clear();
    const Report& report = journal_.report();
    out_ << result_tables(report) << closing_block(report) << std::flush;
    int code = report.summary.exit_code;
    std::string failure = code == kExitCannotWrite ? report.summary.exit_reason : "";
    try {
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
      json_out_ << json << std::flush;
      if (!json_out_) throw OutputError("the report could not be written to standard output");
      return;
    }
    save_file(options_.out, json);
    progress_.say("report: " + options_.out + ", journal: " + journal_path(options_.out));
  }

  const BenchOptions& options_;
  std::ostream& out_;
  std::ostream& json_out_;
  Progress progress_;
  BenchPlan plan_;
  Journal journal_;
  std::vector<std::string> warnings_;
  std::unique_ptr<RoofMeter> roof_meter_;  // of the device at hand
  double controlled_s_ = 0;                // when limits were last measured
  double start_ = steady_seconds();
  double resumed_at_s_ = 0;  // what the run before took
  double deadline_s_ = 0;    // of the device at hand, since the start
};

}  // namespace

int run_bench(const BenchOptions& options, std::ostream& out, std::ostream& talk) {
  if (!options.out.empty() && options.out != "-") check_writable(options.out);
  if (!options.resume) return BenchRun(options, out, talk).run();
  const std::string journal = journal_path(options.out);
  if (journal.empty()) throw UsageError("--resume needs --out, beside which the journal lies");
  BenchOptions same = options;  // data and order are those of the run that goes on
  same.seed = replay_journal(journal).run.seed;
  return BenchRun(same, out, talk).run();
}

}  // namespace rotor
