// Does tasks on one device: what the run, or the worker process that it started, works at.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "bench/plan.h"
#include "bench/roofline.h"
#include "bench/task.h"
#include "bench/visit.h"
#include "bench/waker.h"

namespace rotor {

class Workbench {
 public:
  // Opens the device. `plan` and `options` are referred to. Throws as open_device does.
  Workbench(const BenchOptions& options, const BenchPlan& plan, const std::string& device);

  // Hands results to `sink` as they come. What ends the task early, and no record tells, is returned.
  std::optional<Fault> perform(const Task& task, const TaskSink& sink);

 private:
  void dispatch(const Task& task);
  void check_row(const Task& task);
  void visit(const Task& task);
  void begin_case(const Task& task);
  void slice();
  const PlannedCase& find_case(const std::string& id) const;
  void wake();
  void add_roofs(const std::vector<Roof>& roofs);
  bool go_on(const Task& task, bool& cut) const;
  void warn_of_cut() const;
  void check_kv_model(const Task& task);
  void time_kv_model(const Task& task);
  void run_quality(const Task& task);
  double now() const;

  const BenchOptions& options_;
  const BenchPlan& plan_;
  std::unique_ptr<Device> device_;
  ReferenceCache references_;
  Visitor visitor_;
  std::unique_ptr<RoofMeter> roof_meter_;
  std::optional<std::unique_ptr<Waker>> waker_;  // made when first needed
  ClockCheck clock_ = check_clock(steady_seconds);
  const TaskSink* sink_ = nullptr;  // of the task at hand
  double run_start_ = 0;            // on the clock of the process
};

}  // namespace rotor
