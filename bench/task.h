// What a run asks to be done on one device, as plain data: it crosses from the process that plans
// and keeps the journal to the one that works (bench/worker.h).
#pragma once

#include <functional>
#include <string>

#include "reports/journal.h"
#include "verify/faults.h"

namespace rotor {

enum class TaskKind : std::uint8_t {
  CheckRow,    // what: name of a row of the registry
  Visit,       // what: id of a case; seconds: for its samples
  MeasureAll,  // the device's limits; what: when ("start")
  Control,     // those limits that tell whether the device slowed down; what: when
  CheckKv,     // what: "random" or "model"; seconds: at most
  TimeKv,      // seconds: at most; longest_s: a token that takes longer is the last one
  Quality,     // seconds: at most
  BeginCase,   // what: id of a case: filled and checked, to be timed a slice at a time
  Slice,       // of that case
  EndCase,     // what its launches wrote is checked; the result comes
};

struct Task {
  TaskKind kind = TaskKind::CheckRow;
  std::string what;
  double seconds = 0;
  double longest_s = 0;
  double now_s = 0;  // since the start of the run, when it was asked for
};

// One line without its end. `parse_task` throws FormatError.
std::string to_line(const Task& task);
Task parse_task(const std::string& line);

// Where what comes of a task goes. None of these is called while a clock is running, but for `alive`
// between two samples of a launch that takes seconds.
struct TaskSink {
  std::function<void(const Record&)> record;
  // A part of the task begins: "check", "sample". Its time is limited, from here on.
  std::function<void(const std::string& phase)> phase;
  // It goes on, and is at `step`. False: the run was interrupted, end soon.
  std::function<bool(const std::string& step)> alive;
  // Something that the report has to warn of.
  std::function<void(const std::string& text)> warn;
};

// The phase in which launches are timed; all others prepare or check.
inline constexpr const char* kSamplePhase = "sample";

}  // namespace rotor
