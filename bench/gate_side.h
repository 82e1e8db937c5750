// One side of a gate: a worker process of a build (bench/worker.h), told case by case and slice by
// slice what to time. It is asleep while the other side has its turn.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/process.h"
#include "bench/task.h"

namespace rotor {

class GateSide {
 public:
  // How its times are taken. Builds from before slices know visits only, which check between samples:
  // both sides of a gate must be asked for the same.
  enum class Ask : std::uint8_t { Slices, Visits };
  struct Interruption {};

  // Starts a worker; `args` are what it needs beside --worker. Throws DeviceError.
  GateSide(const std::string& program, const std::vector<std::string>& args,
           const std::string& extra_environment);

  // Until it is ready for its first case. With `spread`, its threads get a processor each: a scheduler
  // that puts two of them on one doubles its times, and turns are too short for it to find out. All calls that wait throw DeviceError for a worker that dies,
  // fails or takes too long, and Interruption.
  void await_start(bool spread);
  bool knows_slices() const { return knows_slices_; }

  // Asks it to fill and check a case; several sides may do so at the same time.
  void begin(const std::string& case_id, Ask ask, double now_s);
  void await_begun();
  // Its turn: a few milliseconds of samples.
  void slice(double now_s);
  // Checks what the timed launches wrote. A measurement is there only if that passed.
  CaseResult end(double now_s);
  // The least time of a launch in each slice, after end().
  const std::vector<double>& slices_s() const { return slices_s_; }

 private:
  void send(TaskKind kind, double seconds, double now_s);
  std::optional<CaseResult> await_done();
  std::string next_line();
  [[noreturn]] void died();

  std::string program_;
  TalkingProcess process_;
  bool knows_slices_ = false;
  Ask ask_ = Ask::Slices;
  std::string case_id_;
  CaseResult visited_;  // by the last visit
  std::vector<double> slices_s_;
};

// For a run of `who` that ended without its report. What it refused is refused by the gate, in its words
// and with its exit code: UsageError (64), FormatError (65), UnsupportedError (69); else DeviceError.
[[noreturn]] void throw_no_report(const std::string& who, const ProcessEnd& end);

}  // namespace rotor
