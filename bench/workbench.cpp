#include "bench/workbench.h"

#include <algorithm>
#include <cmath>

#include "bench/fault.h"
#include "bench/kv.h"
#include "bench/measure.h"
#include "bench/quality.h"
#include "core/error.h"
#include "core/stats.h"
#include "model/session.h"
#include "verify/kv_ab.h"

namespace rotor {
namespace {

// Tokens of the KV A/B in front of times: less is checked there.
constexpr std::uint32_t kFewPositions = 72;

std::string fault_name(const Task& task) {
  return task.kind == TaskKind::CheckRow ? task.what + "/battery" : task.what;
}

}  // namespace

Workbench::Workbench(const BenchOptions& options, const BenchPlan& plan, const std::string& device)
    : options_(options),
      plan_(plan),
      device_(open_device(device, options.device_options)),
      visitor_(
          *device_, references_,
          VisitEvents{[this](const char* phase) { sink_->phase(phase); },
                      [this](const char* phase) { sink_->alive(phase); }, [this] { wake(); }}) {}

double Workbench::now() const {
  return steady_seconds() - run_start_;
}

std::optional<Fault> Workbench::perform(const Task& task, const TaskSink& sink) {
  run_start_ = steady_seconds() - task.now_s;
  TaskSink watched = sink;
  watched.phase = [&](const std::string& phase) {
    sink.phase(phase);
    inject_fault(fault_name(task), phase);
  };
  sink_ = &watched;
  return run_guarded([&] { dispatch(task); });
}

void Workbench::dispatch(const Task& task) {
  switch (task.kind) {
    case TaskKind::CheckRow:
      return check_row(task);
    case TaskKind::Visit:
      return visit(task);
    case TaskKind::MeasureAll:
      sink_->phase("roofline");
      if (!roof_meter_) roof_meter_ = std::make_unique<RoofMeter>(*device_);
      wake();
      return add_roofs(roof_meter_->measure_all(task.what));
    case TaskKind::Control:
      sink_->phase("roofline");
      if (!roof_meter_) roof_meter_ = std::make_unique<RoofMeter>(*device_);
      wake();
      return add_roofs(roof_meter_->measure_controls(task.what));
    case TaskKind::CheckKv:
      return check_kv_model(task);
    case TaskKind::TimeKv:
      return time_kv_model(task);
    case TaskKind::Quality:
      return run_quality(task);
    case TaskKind::BeginCase:
      return begin_case(task);
    case TaskKind::Slice:
      return slice();
    case TaskKind::EndCase:
      return sink_->record(visitor_.end([this] { return now(); }));
  }
}

void Workbench::check_row(const Task& task) {
  const KernelVariant* variant = find_variant(task.what);
  if (variant == nullptr) throw UsageError("no kernel variant '" + task.what + "'");
  sink_->phase("check");
  sink_->record(visitor_.check_row(*variant, options_.seed, plan_.repro_row(*variant)));
}

const PlannedCase& Workbench::find_case(const std::string& id) const {
  const auto planned =
      std::find_if(plan_.cases.begin(), plan_.cases.end(), [&](const PlannedCase& p) {
        return p.result.spec.id == id && p.result.device == device_->info().id;
      });
  if (planned == plan_.cases.end()) throw UsageError("no case '" + id + "'");
  return *planned;
}

void Workbench::visit(const Task& task) {
  const PlannedCase& planned = find_case(task.what);
  SamplingRules rules;
  rules.time_s = task.seconds;
  rules.sample_s = least_sample(clock_, rules.sample_s);
  run_registered(planned.result.spec.id, [&] {
    const CaseResult result =
        visitor_.visit(*planned.variant, planned.result, options_.verify_only ? nullptr : &rules,
                       [this] { return now(); });
    sink_->record(result);
    return result.measurement ? median(result.measurement->samples_s) : 0.0;
  });
}

void Workbench::begin_case(const Task& task) {
  const PlannedCase& planned = find_case(task.what);
  visitor_.begin(*planned.variant, planned.result, [this] { return now(); });
}

void Workbench::slice() {
  SliceRules rules;
  rules.sample_s = least_sample(clock_, rules.sample_s);
  visitor_.slice(rules, [this] { return now(); });
}

void Workbench::wake() {
  if (!waker_) waker_ = make_waker(*device_);
  if (*waker_) (*waker_)->wake();
}

// A device that does nothing takes no time for it: that is no limit.
void Workbench::add_roofs(const std::vector<Roof>& roofs) {
  const auto is_time = [](double sample) { return std::isfinite(sample) && sample > 0; };
  for (const Roof& roof : roofs) {
    if (std::all_of(roof.samples.begin(), roof.samples.end(), is_time)) {
      sink_->record(roof);
    } else {
      sink_->warn("a limit of " + roof.device + " (" + roof.kind +
                  ") is not known: measuring it took no time");
    }
  }
}

// False when the time of the task is up (then it is cut short) or the run was interrupted.
bool Workbench::go_on(const Task& task, bool& cut) const {
  if (!sink_->alive("")) return false;
  cut |= now() >= task.now_s + task.seconds;
  return !cut;
}

void Workbench::warn_of_cut() const {
  sink_->warn("the KV suite on " + device_->info().id +
              " was cut short for lack of time; raise --budget");
}

void Workbench::check_kv_model(const Task& task) {
  const bool random = task.what == "random";
  sink_->phase("KV cache");
  KvSuite suite;
  suite.seed = options_.seed;
  suite.model = random ? "random" : options_.model.empty() ? "demo" : "model";
  if (options_.suite == "model") suite.positions = kFewPositions;
  bool cut = false;
  suite.go_on = [&] { return go_on(task, cut); };
  suite.on_result = [&](const KvResult& result) {
    sink_->record(result);
    sink_->alive(result.id);
  };
  const std::unique_ptr<Checkpoint> checkpoint =
      random ? random_untied_model(options_.seed) : open_checkpoint(plan_.model);
  if (random || fits_kv_ab(checkpoint->config())) check_kv(*device_, *checkpoint, suite);
  if (cut) warn_of_cut();
}

void Workbench::time_kv_model(const Task& task) {
  sink_->phase("KV cache");
  KvSuite suite;
  suite.seed = options_.seed;
  suite.model = options_.model.empty() ? "demo" : "model";
  suite.tuning = options_.tuning;
  bool cut = false;
  suite.go_on = [&] { return go_on(task, cut); };
  suite.on_result = [&](const KvResult& result) { sink_->record(result); };
  suite.format = kv_format(options_.kv);
  suite.on_timing = [&](const KvTiming& timing) {
    sink_->record(timing);
    // The times are held against reading at best, which on a shared machine moves within seconds.
    if (roof_meter_) add_roofs(roof_meter_->measure_controls("middle"));
    sink_->alive("position " + std::to_string(timing.position));
  };
  wake();
  time_kv(*device_, *open_checkpoint(plan_.model), suite, task.longest_s);
  if (cut) warn_of_cut();
}

void Workbench::run_quality(const Task& task) {
  sink_->phase("quality");
  QualitySuite suite;
  suite.alone = options_.suite == "quality";
  suite.model = options_.model.empty() ? "demo" : "model";
  suite.tuning = options_.tuning;
  suite.text = plan_.text;
  suite.text_name = plan_.text_name;
  suite.time_s = task.seconds;
  suite.wanted = [&](const std::string& id) { return plan_.filter.matches(id); };
  suite.on_result = [&](const QualityResult& result) { sink_->record(result); };
  suite.go_on = [&](const std::string& step) { return sink_->alive(step); };
  const std::string left_out = measure_quality(*device_, plan_.model, suite);
  if (!left_out.empty()) sink_->warn("the quality suite was left out: " + left_out);
}

}  // namespace rotor
