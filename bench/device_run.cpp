#include "bench/device_run.h"

#include <algorithm>
#include <set>

#include "bench/roofline.h"
#include "bench/workbench.h"
#include "bench/worker.h"
#include "core/stats.h"
#include "model/commands.h"
#include "reports/choices.h"
#include "reports/text.h"

namespace rotor {
namespace {

// Seconds that must be left on a device for limits that nobody asked for. They take half a second on a
// CPU of two cores and 3 s on a software GPU.
constexpr double kLeftForRoofs = 10;
// Limits are looked at again after so many seconds, and told when they fell by more than this.
constexpr double kControlEvery = 30;
constexpr double kDrift = 0.10;
// Clocks of devices and hosts differ by parts of a million; the rest is for rounding short times.
constexpr double kTimerSlack = 1.02;

// Opens the device in this process, when the first task comes.
auto work_here(const RunParts& run, const DeviceInfo& device) {
  return [&run, &device, bench = std::shared_ptr<Workbench>()](const Task& task,
                                                               const TaskSink& sink) mutable {
    if (!bench) bench = std::make_shared<Workbench>(run.options, run.plan, device.id);
    return bench->perform(task, sink);
  };
}

auto work_elsewhere(const RunParts& run, const DeviceInfo& device, const std::string& case_id) {
  const auto tell = [&](const std::string& reason) {
    run.journal.append(Event{run.now(), "worker_restart", case_id, device.id + ": " + reason});
  };
  return [worker = std::make_shared<Worker>(run.options, device.id, tell)](
             const Task& task, const TaskSink& sink) { return worker->perform(task, sink); };
}

const DeviceFacts& facts_in(const Report& report, const std::string& device) {
  return *std::find_if(report.devices.begin(), report.devices.end(),
                       [&](const DeviceFacts& facts) { return facts.id == device; });
}

void set_failure(Verdict& verdict, const Fault& failure) {
  verdict.status = failure.status;
  verdict.reason_code = failure.reason_code;
  verdict.message = failure.message;
}

}  // namespace

DeviceRun::DeviceRun(const RunParts& run, const DeviceInfo& device, double deadline_s)
    : run_(run),
      device_(device),
      facts_(facts_in(run.journal.report(), device.id)),
      deadline_s_(deadline_s) {
  if (run.options.isolation) {
    work_ = work_elsewhere(run_, device_, case_id_);
  } else {
    work_ = work_here(run_, device_);
  }
}

void DeviceRun::run() {
  const BenchOptions& options = run_.options;
  check_rows();
  const bool timed = !options.verify_only && is_trusted() &&
                     (run_.plan.kv || !run_.plan.units_of(device_).empty());
  const bool affordable = options.budget_s >= kLeastForRoofs && remaining() >= kLeftForRoofs;
  if (timed && options.roofline.value_or(affordable)) {
    has_roofs_ = true;
    measure_roofs(TaskKind::MeasureAll, "start");
  }
  if (run_.plan.kv) run_kv();
  if (run_.plan.quality && !options.verify_only) run_quality();
  visit_cases();
  if (has_roofs_) measure_roofs(TaskKind::Control, "end");
  warn_of_drift();
}

// Nothing is begun after an interruption, and what it broke is not held against anyone.
std::optional<Fault> DeviceRun::perform(Task task, const std::function<void(const Record&)>& record,
                                        const std::string& step) {
  if (interrupted()) return std::nullopt;
  task.now_s = run_.now();
  case_id_ = task.kind == TaskKind::Visit ? task.what : "";
  TaskSink sink;
  sink.record = record;
  sink.phase = [](const std::string&) {};
  sink.alive = [&](const std::string& what) {
    if (!what.empty()) run_.progress.show(step, what, remaining());
    return !interrupted();
  };
  sink.warn = [this](const std::string& text) { warn(text); };
  std::optional<Fault> failure = work_(task, sink);
  if (interrupted()) failure.reset();
  return failure;
}

void DeviceRun::warn(const std::string& text) {
  if (std::find(run_.warnings.begin(), run_.warnings.end(), text) == run_.warnings.end()) {
    run_.warnings.push_back(text);
  }
}

void DeviceRun::judge(const std::string& id, Verdict& verdict) {
  run_.known_issues.judge(id, facts_, verdict.status, verdict.reason_code, verdict.message);
}

bool DeviceRun::is_checked(const KernelVariant& variant) const {
  const std::vector<RowCheck>& done = run_.journal.report().battery;
  return std::any_of(done.begin(), done.end(), [&](const RowCheck& r) {
    return r.variant == variant.name && r.device == device_.id;
  });
}

// Whether a row that was checked passed; where none was, nothing speaks against the device.
bool DeviceRun::is_trusted() const {
  bool checked = false;
  for (const RowCheck& row : run_.journal.report().battery) {
    if (row.device != device_.id) continue;
    if (row.verdict.passed()) return true;
    checked = true;
  }
  return !checked;
}

void DeviceRun::check_rows() {
  const std::vector<const KernelVariant*> rows = run_.plan.rows_of(device_);
  for (std::size_t i = 0; i < rows.size() && !interrupted(); ++i) {
    const std::string step =
        "checking kernels " + std::to_string(i + 1) + "/" + std::to_string(rows.size());
    run_.progress.show(step, std::string(rows[i]->name), -1);
    if (is_checked(*rows[i])) continue;
    RowCheck row;
    const double begin = run_.now();
    const auto keep = [&](const Record& record) { row = std::get<RowCheck>(record); };
    if (const auto failure =
            perform({TaskKind::CheckRow, std::string(rows[i]->name)}, keep, step)) {
      row.variant = rows[i]->name;
      row.op = contract(rows[i]->op).name;
      row.device = device_.id;
      set_failure(row.verdict, *failure);
      row.seconds = run_.now() - begin;
    }
    if (row.verdict.status == Status::NotRun) continue;  // interrupted
    judge(row.variant + "/battery", row.verdict);
    row.repro = run_.plan.repro_row(*rows[i]);
    if (!row.verdict.passed()) distrust(row);
    run_.journal.append(row);
  }
}

// A row that failed its battery is not trusted with larger shapes, nor timed.
void DeviceRun::distrust(const RowCheck& row) {
  for (PlannedCase& planned : run_.plan.cases) {
    CaseResult& result = planned.result;
    if (planned.variant->name != row.variant || result.device != row.device ||
        result.verdict.status != Status::NotRun) {
      continue;
    }
    result.verdict.status = row.verdict.status;
    result.verdict.reason_code = "battery_failed";
    result.verdict.message = "failed on small shapes: " + row.verdict.message;
    run_.journal.append(result);
  }
}

void DeviceRun::measure_roofs(TaskKind kind, const std::string& at) {
  run_.progress.show("roofline", device_.id, -1);
  const auto keep = [&](const Record& record) { run_.journal.append(record); };
  const auto drift = [&] { return roof_drift(run_.journal.report().roofs, device_.id); };
  // A short disturbance is none when it is looked at again.
  for (int looks = 0; looks < 2 && (looks == 0 || drift() > kDrift); ++looks) {
    if (const auto failure = perform({kind, at}, keep, "roofline")) {
      warn("the limits of " + device_.id + " are not known to the end: " + failure->message);
      break;
    }
  }
  controlled_s_ = run_.now();
  watch_drift(drift());
}

// The device is told to be slow when a control fell, and to have recovered when it rose again.
void DeviceRun::watch_drift(double drift) {
  slowest_ = std::max(slowest_, drift);
  const bool slow = drift > (slow_ ? kDrift / 2 : kDrift);
  if (slow == slow_) return;
  slow_ = slow;
  run_.journal.append(Event{
      run_.now(), slow ? "throttle_start" : "throttle_stop", "",
      device_.id + " is " + show_percent(std::max(drift, 0.0)) + " slower than at the start"});
}

void DeviceRun::warn_of_drift() {
  if (slowest_ > kDrift) {
    warn(device_.id + " was up to " + show_percent(slowest_) +
         " slower than at the start: it throttles, or was disturbed");
  }
}

// What a device says that it took cannot be more than what passed for the host that waited for it.
void DeviceRun::hold_against_host(const CaseResult& result) {
  if (!result.measurement || result.measurement->host_samples_s.empty()) return;
  const double device_s = median(result.measurement->samples_s);
  if (device_s > kTimerSlack * median(result.measurement->host_samples_s)) {
    warn("the timer of " + device_.id +
         " runs faster than the host's clock: do not trust its times");
  }
}

void DeviceRun::keep_kv(KvResult result) {
  const std::vector<KvResult>& done = run_.journal.report().kv;
  const bool known = std::any_of(done.begin(), done.end(), [&](const KvResult& r) {
    return r.id == result.id && r.device == result.device;
  });
  if (known) return;
  run_.known_issues.judge(result.id, facts_, result.status, result.reason_code, result.message);
  run_.journal.append(result);
}

// A random model first: its attention shows what a trained one may hide. In a run of everything a
// quarter of the time at most, because software devices would need all of it. Suite "model" is about
// the times: it checks less before them.
void DeviceRun::run_kv() {
  const BenchOptions& options = run_.options;
  const bool times_only = options.suite == "model";
  const double until_s = run_.now() + remaining() / (options.suite == "all" ? 4 : 1);
  const auto part = [&](TaskKind kind, const std::string& what, const char* mode) {
    Task task{kind, what, until_s - run_.now()};
    task.longest_s = remaining() / (times_only ? 50 : 200);
    if (task.seconds <= 0) return;
    const auto keep = [this](const Record& record) {
      const auto* found = std::get_if<KvResult>(&record);
      if (found == nullptr) return run_.journal.append(record);
      if (run_.plan.filter.matches(found->id)) keep_kv(*found);
    };
    const auto failure = perform(task, keep, "KV cache");
    if (!failure) return;
    KvResult result;
    result.id = std::string("kv/") + mode + "/all/" + what;
    result.device = device_.id;
    result.mode = mode;
    result.variant = "all";
    result.status = failure->status;
    result.reason_code = failure->reason_code;
    result.message = failure->message;
    keep_kv(result);
  };
  part(TaskKind::CheckKv, "random", "lockstep");
  if (!times_only) part(TaskKind::CheckKv, "model", "lockstep");
  if (!options.verify_only) part(TaskKind::TimeKv, "model", "end_to_end");
}

// On its own it may use all the time, beside others a fifth.
void DeviceRun::run_quality() {
  const bool alone = run_.options.suite == "quality";
  const Task task{TaskKind::Quality, "model", alone ? remaining() : remaining() / 5};
  const auto judged = [&](QualityResult found) {
    run_.known_issues.judge(found.id, facts_, found.status, found.reason_code, found.message);
    run_.journal.append(found);
  };
  const auto keep = [&](const Record& record) { judged(std::get<QualityResult>(record)); };
  const auto failure = perform(task, keep, "quality");
  if (!failure) return;
  QualityResult result;
  result.id = "quality/" + std::string(run_.options.model.empty() ? "demo" : "model") + "/all";
  result.device = device_.id;
  result.kv = "all";
  result.head = "all";
  result.status = failure->status;
  result.reason_code = failure->reason_code;
  result.message = failure->message;
  judged(result);
}

void DeviceRun::visit_cases() {
  Pace pace(run_.plan.units_of(device_), run_.options.seed);
  std::size_t visits = 0;
  while (!interrupted()) {
    std::optional<Visit> visit = pace.next(remaining());
    if (!visit && pace.revisit(contested(pace))) visit = pace.next(remaining());
    if (!visit) break;
    const Unit& unit = pace.units()[visit->unit];
    const std::string step = "round " + std::to_string(visit->round) + ", visit " +
                             std::to_string(++visits) + " of " +
                             std::to_string(Pace::kUsualRounds * pace.units().size());
    run_.progress.show(step, run_.plan.cases[unit.cases.front()].result.spec.id,
                       pace.estimate_left(remaining()));
    pace.finished(*visit, visit_unit(unit, visit->slice_s));
    if (has_roofs_ && run_.now() - controlled_s_ > kControlEvery) {
      measure_roofs(TaskKind::Control, "middle");
    }
  }
  if (!interrupted()) tell_left_out(pace);
}

// Those by which what the runtime takes is not the fastest. They were seen seconds apart, and a neighbour may
// have slowed one of them: who says that a choice is wrong looks again.
std::vector<std::size_t> DeviceRun::contested(const Pace& pace) const {
  const Report& report = run_.journal.report();
  std::set<std::string> ids;
  for (const Choice& choice : choices_of(report, derive(report))) {
    if (choice.chosen->device != device_.id) continue;
    for (const Standing& standing : {choice.in_packing.value_or(Standing{}), choice.overall}) {
      if (standing.fastest == nullptr || standing.within_noise) continue;
      ids.insert({choice.chosen->spec.id, standing.fastest->spec.id});
    }
  }
  std::vector<std::size_t> units;
  for (std::size_t i = 0; i < pace.units().size(); ++i) {
    const std::vector<std::size_t>& cases = pace.units()[i].cases;
    if (std::any_of(cases.begin(), cases.end(), [&](std::size_t c) {
          return ids.contains(run_.plan.cases[c].result.spec.id);
        })) {
      units.push_back(i);
    }
  }
  return units;
}

VisitCost DeviceRun::visit_unit(const Unit& unit, double slice_s) {
  VisitCost cost;
  cost.converged = true;
  const double begin = run_.now();
  double sampling_s = 0;
  for (const std::size_t index : unit.cases) {
    const CaseResult result = visit_case(run_.plan.cases[index], slice_s);
    cost.passed &= result.verdict.passed();
    if (!result.measurement) continue;
    cost.converged &= result.measurement->stop == StopReason::Converged;
    cost.launch_s = median(result.measurement->samples_s);
    sampling_s += result.phases_s.at(kSamplePhase);
  }
  cost.overhead_s = run_.now() - begin - sampling_s;
  if (run_.options.verify_only) cost.passed = false;  // one visit is enough
  return cost;
}

CaseResult DeviceRun::visit_case(const PlannedCase& planned, double slice_s) {
  CaseResult result = planned.result;
  result.start_s = run_.now();
  const auto keep = [&](const Record& record) { result = std::get<CaseResult>(record); };
  if (const auto failure = perform({TaskKind::Visit, result.spec.id, slice_s}, keep, "")) {
    set_failure(result.verdict, *failure);
    result.measurement.reset();
    result.end_s = run_.now();
  }
  judge(result.spec.id, result.verdict);
  result.repro = planned.result.repro;
  if (result.verdict.status != Status::NotRun) run_.journal.append(result);
  hold_against_host(result);
  return result;
}

void DeviceRun::tell_left_out(const Pace& pace) {
  left_out_s_ = pace.left_out_cost();
  for (const std::size_t index : pace.left_out()) {
    for (const std::size_t c : pace.units()[index].cases) {
      CaseResult result = run_.plan.cases[c].result;
      result.verdict.status = Status::Skipped;
      result.verdict.reason_code = "budget";
      result.verdict.message = "no time left for it; raise --budget";
      run_.journal.append(result);
    }
  }
  if (const std::size_t once = pace.visited_once(); once > 0 && !run_.options.verify_only) {
    warn(std::to_string(once) + " of " + std::to_string(pace.units().size()) +
         " kernel and shape pairs were visited once only for lack of time");
  }
}

}  // namespace rotor
