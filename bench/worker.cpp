#include "bench/worker.h"

#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "bench/sampling.h"
#include "bench/worker_lines.h"
#include "core/error.h"
#include "model/commands.h"

namespace rotor {
namespace {

constexpr int kMostHangs = 3;   // in a row, before a device is given up
constexpr int kMostStarts = 2;  // that fail in a row
constexpr int kMostIdleDeaths = 2;
// The parent wakes up this seldom, to look whether it was interrupted.
constexpr double kLookEvery = 1;

std::vector<std::string> worker_command(const BenchOptions& options, const std::string& device) {
  std::vector<std::string> argv = {std::filesystem::read_symlink("/proc/self/exe"), "--worker",
                                   "--suite=" + options.suite, "--device=" + device,
                                   "--seed=" + std::to_string(options.seed)};
  for (std::size_t i = 0; i + 1 < options.repro_args.size(); i += 2) {
    const std::string& name = options.repro_args[i];
    if (name != "--device") argv.push_back(name + '=' + options.repro_args[i + 1]);
  }
  for (const std::string& filter : options.filters) argv.push_back("--filter=" + filter);
  if (!options.text.empty()) argv.push_back("--text=" + options.text);
  if (options.verify_only) argv.push_back("--verify-only");
  if (!options.tuning.use) argv.push_back("--no-tuned");
  return argv;
}

// The rest of a line that begins with `word`.
std::optional<std::string> after(const std::string& line, const char* word) {
  if (!line.starts_with(word)) return std::nullopt;
  return line.substr(std::strlen(word));
}

Fault read_failure(const std::string& line) {
  std::istringstream in(line);
  std::string status;
  Fault failure{Status::Error, "", ""};
  std::getline(in, status, '\t');
  std::getline(in, failure.reason_code, '\t');
  std::getline(in, failure.message);
  failure.status = parse_status(status).value_or(Status::Error);
  return failure;
}

// Whether the device, or its memory, failed in this record.
struct TellsBroken {
  bool operator()(const CaseResult& visit) const { return is_broken(visit.verdict.status); }
  bool operator()(const RowCheck& row) const { return is_broken(row.verdict.status); }
  bool operator()(const KvResult& kv) const { return is_broken(kv.status); }
  bool operator()(const QualityResult& quality) const { return is_broken(quality.status); }
  template <typename Other>
  bool operator()(const Other&) const {
    return false;
  }
};

std::string seconds_text(double seconds) {
  std::ostringstream out;
  out << seconds << " s";
  return out.str();
}

}  // namespace

Worker::Worker(const BenchOptions& options, const std::string& device,
               std::function<void(const std::string& reason)> on_restart)
    : options_(options), device_(device), on_restart_(std::move(on_restart)) {}

std::optional<Fault> Worker::perform(const Task& task, const TaskSink& sink) {
  if (given_up_) return given_up_;
  for (int idle_deaths = 0;; ++idle_deaths) {
    if (!process_) {
      if (std::optional<Fault> failure = start()) return failure;
    }
    phase_ = "start";
    broken_ = false;
    if (process_->send(to_line(task))) {
      const Followed followed = follow(sink);
      if (followed.begun) {
        note_end(followed.failure);
        return followed.failure;
      }
    }
    // It died between two tasks, which costs none of them, unless it does so whenever it gets this one.
    const Fault failure = died();
    on_restart_(failure.message);
    if (idle_deaths == kMostIdleDeaths) return failure;
  }
}

// Tries a second time: a device that was lost may need a moment.
std::optional<Fault> Worker::start() {
  Fault failure{Status::Error, "", ""};
  for (int tries = 0; tries < kMostStarts; ++tries) {
    process_ = std::make_unique<TalkingProcess>(worker_command(options_, device_));
    phase_ = "start";
    const double begin = steady_seconds();
    std::string line;
    TalkingProcess::Heard heard = TalkingProcess::Heard::Nothing;
    while (heard == TalkingProcess::Heard::Nothing && steady_seconds() - begin < limit()) {
      heard = process_->receive(kLookEvery, line);
    }
    if (heard == TalkingProcess::Heard::Line && line.starts_with(kWorkerReady)) return std::nullopt;
    failure = heard == TalkingProcess::Heard::Nothing ? hung() : died();
    if (interrupted()) return failure;
  }
  given_up_ =
      Fault{Status::DeviceLost, "device_gone", device_ + " cannot be opened: " + failure.message};
  return given_up_;
}

Worker::Followed Worker::follow(const TaskSink& sink) {
  Followed followed;
  double last = steady_seconds();
  while (true) {
    std::string line;
    const TalkingProcess::Heard heard = process_->receive(kLookEvery, line);
    if (heard == TalkingProcess::Heard::Gone) {
      if (followed.begun) followed.failure = died();
      return followed;
    }
    if (heard == TalkingProcess::Heard::Line) {
      followed.begun = true;
      last = steady_seconds();
      if (line == kWorkerDone) return followed;
      if (const auto failure = after(line, kWorkerFailed)) {
        followed.failure = read_failure(*failure);
        return followed;
      }
      handle(line, sink);
    }
    if (interrupted() && !told_interrupt_) {
      process_->signal(SIGUSR1);
      told_interrupt_ = true;
    }
    if (steady_seconds() - last > limit()) {
      followed.begun = true;
      followed.failure = hung();
      return followed;
    }
  }
}

void Worker::handle(const std::string& line, const TaskSink& sink) {
  if (const auto phase = after(line, kWorkerPhase)) {
    phase_ = *phase;
    sink.phase(phase_);
  } else if (const auto step = after(line, kWorkerAlive)) {
    sink.alive(*step);
  } else if (const auto text = after(line, kWorkerWarn)) {
    sink.warn(*text);
  } else {
    const Record record = read_record(line, "worker of " + device_);
    broken_ |= std::visit(TellsBroken{}, record);
    sink.record(record);
  }
}

double Worker::limit() const {
  return phase_ == kSamplePhase ? options_.run_timeout_s : options_.prepare_timeout_s;
}

Fault Worker::died() {
  const ProcessEnd end = process_->end();
  process_.reset();
  const bool by_signal = end.code > 128;
  Fault failure{Status::Error, "", ""};
  failure.status = Status::Crash;
  failure.reason_code = by_signal ? "signal_" + std::to_string(end.code - 128) : "worker_exited";
  failure.message = by_signal ? std::string("the worker was ended by signal ") +
                                    std::to_string(end.code - 128) + " (" +
                                    strsignal(end.code - 128) + ")"
                              : "the worker ended with exit " + std::to_string(end.code);
  failure.message += " in phase '" + phase_ + "'";
  if (!end.last_line.empty()) failure.message += ": " + end.last_line;
  return failure;
}

Fault Worker::hung() {
  process_->signal(SIGKILL);
  process_.reset();
  const bool run = phase_ == kSamplePhase;
  return {Status::Timeout, run ? "run_timeout" : "prepare_timeout",
          "no sign of life for " + seconds_text(limit()) + " in phase '" + phase_ +
              "'; the worker was ended (" + (run ? "--run-timeout" : "--prepare-timeout") + ")"};
}

// Decides whether the worker can be used again. One whose device failed cannot: what the process holds
// of the device may be lost.
void Worker::note_end(const std::optional<Fault>& failure) {
  if (failure || broken_) {
    on_restart_(failure ? failure->message : "the device failed; it is opened anew");
    process_.reset();
  }
  hangs_ = failure && failure->status == Status::Timeout ? hangs_ + 1 : 0;
  if (hangs_ == kMostHangs) {
    given_up_ = Fault{Status::DeviceLost, "device_hangs",
                      device_ + " was given up: three tasks in a row hung"};
  }
}

}  // namespace rotor
