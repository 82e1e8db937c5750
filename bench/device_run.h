// What a run does on one device: kernels are checked, limits measured, suites run and cases visited
// within the device's part of the time. The work itself is done by a worker (bench/worker.h); here is
// decided what comes next, and what is kept.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/pace.h"
#include "bench/plan.h"
#include "bench/progress.h"
#include "bench/task.h"
#include "reports/journal.h"
#include "reports/known_issues.h"

namespace rotor {

// Parts of a run that its devices share.
struct RunParts {
  const BenchOptions& options;
  BenchPlan& plan;
  Journal& journal;
  Progress& progress;
  KnownIssues& known_issues;
  std::vector<std::string>& warnings;
  std::function<double()> now;  // seconds since the start of the run
};

class DeviceRun {
 public:
  DeviceRun(const RunParts& run, const DeviceInfo& device, double deadline_s);

  void run();  // throws OutputError
  // Seconds that what was left out for lack of time would have taken, at least; after run().
  double left_out_s() const { return left_out_s_; }

 private:
  double remaining() const { return deadline_s_ - run_.now(); }
  std::optional<Fault> perform(Task task, const std::function<void(const Record&)>& record,
                               const std::string& step);
  void warn(const std::string& text);
  void judge(const std::string& id, Verdict& verdict);

  void check_rows();
  bool is_checked(const KernelVariant& variant) const;
  bool is_trusted() const;
  void distrust(const RowCheck& row);

  void measure_roofs(TaskKind kind, const std::string& at);
  void watch_drift(double drift);
  void warn_of_drift();
  void hold_against_host(const CaseResult& result);

  void run_kv();
  void keep_kv(KvResult result);
  void run_quality();

  void visit_cases();
  std::vector<std::size_t> contested(const Pace& pace) const;
  VisitCost visit_unit(const Unit& unit, double slice_s);
  CaseResult visit_case(const PlannedCase& planned, double slice_s);
  void tell_left_out(const Pace& pace);

  const RunParts run_;
  const DeviceInfo& device_;
  DeviceFacts facts_;
  double deadline_s_;
  std::function<std::optional<Fault>(const Task&, const TaskSink&)> work_;
  std::string case_id_;  // at hand
  bool has_roofs_ = false;
  double controlled_s_ = 0;  // when limits were last measured
  bool slow_ = false;        // they had fallen then
  double slowest_ = 0;       // the largest fall
  double left_out_s_ = 0;
};

}  // namespace rotor
