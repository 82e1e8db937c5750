// Cases in a process of their own, so that a kernel or a driver that crashes, hangs or loses its device
// costs the case at hand and nothing else. The parent plans, keeps the journal and the report; a worker
// opens one device and does one task after the other. They talk in lines between tasks and phases,
// never inside what is timed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/process.h"
#include "bench/task.h"

namespace rotor {

// The parent's side: a worker that is started when there is work, and again after it died.
class Worker {
 public:
  // `on_restart` is told why the worker at hand is given up.
  Worker(const BenchOptions& options, const std::string& device,
         std::function<void(const std::string& reason)> on_restart);

  // As Workbench::perform. What ended the worker is the failure of the task; after three in a row that
  // hung, or a device that cannot be opened twice, every task fails at once.
  std::optional<Fault> perform(const Task& task, const TaskSink& sink);

 private:
  // Nothing: the worker died before it took the task.
  struct Followed {
    bool begun = false;
    std::optional<Fault> failure;
  };
  std::optional<Fault> start();
  Followed follow(const TaskSink& sink);
  void handle(const std::string& line, const TaskSink& sink);
  Fault died();
  Fault hung();
  void note_end(const std::optional<Fault>& failure);
  double limit() const;

  const BenchOptions& options_;
  std::string device_;
  std::function<void(const std::string& reason)> on_restart_;
  std::unique_ptr<TalkingProcess> process_;
  std::string phase_;
  bool told_interrupt_ = false;
  bool broken_ = false;  // a record of the task said that the device failed
  int hangs_ = 0;        // in a row
  std::optional<Fault> given_up_;
};

// The worker's side: does tasks on options.device until its parent is done or gone.
int run_worker(const BenchOptions& options);

}  // namespace rotor
