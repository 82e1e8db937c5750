#include "bench/visit.h"

#include <functional>
#include <optional>

#include "bench/cases.h"
#include "reports/report.h"
#include "verify/faults.h"

namespace rotor {
namespace {

// Seconds between signs of life.
constexpr double kTellEvery = 1;

// The seconds that a piece of work took, added to its phase.
class Phase {
 public:
  Phase(CaseResult& result, const char* name) : seconds_(result.phases_s[name]) {}
  ~Phase() { seconds_ += steady_seconds() - start_; }
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

 private:
  double& seconds_;
  double start_ = steady_seconds();
};

// Runs `work`; what ends it early becomes the verdict.
void guarded(Verdict& verdict, const std::function<void()>& work) {
  const std::optional<Fault> fault = run_guarded(work);
  if (!fault) return;
  verdict = Verdict{};
  verdict.status = fault->status;
  verdict.reason_code = fault->reason_code;
  verdict.message = fault->message;
}

Verdict flaky(Verdict verdict, const Verdict& wrong) {
  verdict.status = Status::PassFlaky;
  verdict.reason_code = "wrong_once";
  verdict.message = "right when repeated, but at first: " + wrong.message;
  return verdict;
}

// Checks, and once more where that fails.
template <typename Check>
Verdict checked(std::uint32_t& attempts, const Check& check) {
  attempts = 1;
  const Verdict first = check();
  if (!is_wrong(first.status)) return first;
  attempts = 2;
  const Verdict second = check();
  return second.passed() ? flaky(second, first) : first;
}

std::string without_cache(const std::string& id) {
  constexpr std::string_view kHot = "/hot";
  return id.ends_with(kHot) ? id.substr(0, id.size() - kHot.size()) : id;
}

std::uint64_t bytes_per_copy(const KernelVariant& variant, const Case& spec) {
  if (spec.layers) return layers_weight_bytes(spec);
  const std::uint64_t weights = is_ternary(variant.packing)
                                    ? packed_bytes(variant.packing, spec.n, spec.k)
                                    : row_bytes(variant.packing, spec.k) * spec.n;
  return weights + std::uint64_t{spec.m} * spec.n * sizeof(float);
}

}  // namespace

void Visitor::prepare(const KernelVariant& variant, CaseResult& result) {
  const std::string id = without_cache(result.spec.id);
  // Cached weights need no copies; those of a cold case before them serve as well.
  const std::uint32_t rotation =
      result.spec.hot
          ? 1
          : rotate_buffers(bytes_per_copy(variant, result.spec), device_.info().cache_bytes);
  if (trial_ && trial_of_ == id && rotation_ >= rotation) return;
  trial_.reset();  // before the next one asks for memory
  rotation_ = rotation;
  {
    events_.phase("fill");
    const Phase fill(result, "fill");
    trial_ = make_trial(device_, variant, result.spec, rotation_, references_);
  }
  events_.phase("check");
  const Phase check(result, "check");
  verdict_ = checked(attempts_, [&] { return trial_->check(); });
  trial_of_ = id;
}

void Visitor::begin_timing(CaseResult& result) {
  trial_->poison_outputs();
  events_.phase("sample");
  const Phase settle(result, "settle");
  events_.settle();
}

// `told`: when the last sign of life was given.
Timing Visitor::launch(const CaseResult& result, std::uint64_t first, std::uint32_t count,
                       double& told) {
  if (const double now_s = steady_seconds(); now_s - told > kTellEvery) {
    events_.alive("sample");
    told = now_s;
  }
  for (std::uint32_t i = 0; i < count; ++i) trial_->dispatch(result.spec.hot ? 0 : first + i);
  return device_.finish();
}

void Visitor::end_timing(CaseResult& result) {
  Measurement& measured = *result.measurement;
  measured.clock = measured.host_samples_s.empty()             ? "steady_clock"
                   : device_.info().backend == Backend::Vulkan ? "vk_timestamp"
                                                               : "cl_event";
  measured.cold = !result.spec.hot;
  measured.rotate_buffers = result.spec.hot ? 1 : rotation_;
  measured.macs = trial_->macs();
  measured.min_bytes = trial_->min_bytes();
  measured.weight_bytes = trial_->weight_bytes();
  events_.phase("check_timed");
  const Phase check(result, "check_timed");
  trial_->check_timed(result.verdict);
  if (!result.verdict.passed()) result.measurement.reset();
}

void Visitor::measure(CaseResult& result, const SamplingRules& rules, const Clock& now) {
  double told = steady_seconds();
  const auto launches = [&](std::uint64_t first, std::uint32_t count) {
    return launch(result, first, count, told);
  };
  const auto since_start = [&] { return now() - result.start_s; };
  begin_timing(result);
  {
    const Phase sample(result, "sample");
    result.measurement = take_samples(launches, since_start, rules);
  }
  end_timing(result);
}

// What the device held of the trial may be lost.
void Visitor::give_up_broken(CaseResult& result) {
  if (!is_broken(result.verdict.status)) return;
  result.measurement.reset();
  trial_.reset();
}

CaseResult Visitor::visit(const KernelVariant& variant, const CaseResult& planned,
                          const SamplingRules* rules, const Clock& now) {
  CaseResult result = planned;
  result.start_s = now();
  guarded(result.verdict, [&] {
    prepare(variant, result);
    result.verdict = verdict_;
    result.attempts = attempts_;
    if (rules != nullptr && result.verdict.passed()) measure(result, *rules, now);
  });
  give_up_broken(result);
  result.end_s = now();
  return result;
}

void Visitor::begin(const KernelVariant& variant, const CaseResult& planned, const Clock& now) {
  open_ = planned;
  open_.start_s = now();
  next_launch_ = 0;
  guarded(open_.verdict, [&] {
    prepare(variant, open_);
    open_.verdict = verdict_;
    open_.attempts = attempts_;
    if (!open_.verdict.passed()) return;
    begin_timing(open_);
    open_.measurement.emplace();
  });
  give_up_broken(open_);
}

void Visitor::slice(const SliceRules& rules, const Clock& now) {
  if (!open_.measurement) return;
  double told = steady_seconds();
  const auto launches = [&](std::uint64_t first, std::uint32_t count) {
    return launch(open_, first, count, told);
  };
  guarded(open_.verdict, [&] {
    const Phase sample(open_, "sample");
    add_slice(
        *open_.measurement, next_launch_, launches, [&] { return now() - open_.start_s; }, rules);
  });
  give_up_broken(open_);
}

CaseResult Visitor::end(const Clock& now) {
  if (open_.measurement) {
    guarded(open_.verdict, [&] { end_timing(open_); });
    give_up_broken(open_);
  }
  open_.end_s = now();
  return std::move(open_);
}

RowCheck Visitor::check_row(const KernelVariant& variant, std::uint64_t seed,
                            const std::string& repro) {
  RowCheck row;
  row.variant = variant.name;
  row.op = contract(variant.op).name;
  row.device = device_.info().id;
  row.repro = repro;
  const double start = steady_seconds();
  guarded(row.verdict, [&] {
    std::uint32_t attempts = 0;
    row.verdict = checked(attempts, [&] { return check_battery(device_, variant, seed); });
  });
  row.seconds = steady_seconds() - start;
  return row;
}

}  // namespace rotor
