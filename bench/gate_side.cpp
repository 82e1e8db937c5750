#include "bench/gate_side.h"

#include <algorithm>
#include <string_view>

#include "bench/sampling.h"
#include "bench/worker_lines.h"
#include "core/error.h"
#include "model/commands.h"

namespace rotor {
namespace {

constexpr double kLongest = 120;  // seconds without a word
constexpr double kLookEvery = 1;
// Seconds of samples of a visit that stands in for a slice, and of one that only fills and checks.
constexpr double kVisit = 3e-3;
constexpr double kFirstVisit = 1e-3;

std::vector<std::string> command(const std::string& program, const std::vector<std::string>& args) {
  std::vector<std::string> argv = {program, "--worker", "--suite=gate"};
  argv.insert(argv.end(), args.begin(), args.end());
  return argv;
}

}  // namespace

GateSide::GateSide(const std::string& program, const std::vector<std::string>& args,
                   const std::string& extra_environment)
    : program_(program), process_(command(program, args), extra_environment) {}

void GateSide::await_start(bool spread) {
  const std::string line = next_line();
  if (!line.starts_with(kWorkerReady)) throw DeviceError(program_ + ": no worker: says " + line);
  if (spread) process_.spread_threads();
  knows_slices_ = line == std::string(kWorkerReady) + kKnowsSlices;
}

void GateSide::begin(const std::string& case_id, Ask ask, double now_s) {
  case_id_ = case_id;
  ask_ = ask;
  slices_s_.clear();
  visited_ = {};
  send(ask == Ask::Slices ? TaskKind::BeginCase : TaskKind::Visit, kFirstVisit, now_s);
}

void GateSide::await_begun() {
  if (const std::optional<CaseResult> visit = await_done()) visited_ = *visit;
}

void GateSide::slice(double now_s) {
  if (ask_ == Ask::Slices) {
    send(TaskKind::Slice, 0, now_s);
    await_done();
    return;
  }
  send(TaskKind::Visit, kVisit, now_s);
  const std::optional<CaseResult> visit = await_done();
  if (!visit || is_wrong(visited_.verdict.status)) return;  // wrong once is wrong
  if (visit->measurement || is_wrong(visit->verdict.status)) visited_ = *visit;
  if (!visit->measurement) return;
  slices_s_.push_back(*std::min_element(visit->measurement->samples_s.begin(),
                                        visit->measurement->samples_s.end()));
}

CaseResult GateSide::end(double now_s) {
  if (ask_ == Ask::Visits) return visited_;
  send(TaskKind::EndCase, 0, now_s);
  std::optional<CaseResult> result = await_done();
  if (!result) throw DeviceError(program_ + ": no result of " + case_id_);
  if (result->measurement) slices_s_ = least_of_slices(*result->measurement);
  return *result;
}

void GateSide::send(TaskKind kind, double seconds, double now_s) {
  if (!process_.send(to_line({kind, case_id_, seconds, 0, now_s}))) died();
}

std::optional<CaseResult> GateSide::await_done() {
  std::optional<CaseResult> result;
  while (true) {
    const std::string line = next_line();
    if (line == kWorkerDone) return result;
    if (line.starts_with(kWorkerFailed))
      throw DeviceError(program_ + ": " + case_id_ + ": " + line);
    const bool talk = line.starts_with(kWorkerPhase) || line.starts_with(kWorkerAlive) ||
                      line.starts_with(kWorkerWarn);
    if (talk) continue;
    const Record record = read_record(line, program_);
    if (const auto* found = std::get_if<CaseResult>(&record)) result = *found;
  }
}

std::string GateSide::next_line() {
  const double begin = steady_seconds();
  std::string line;
  while (true) {
    switch (process_.receive(kLookEvery, line)) {
      case TalkingProcess::Heard::Line:
        return line;
      case TalkingProcess::Heard::Gone:
        died();
      case TalkingProcess::Heard::Nothing:
        break;
    }
    if (interrupted()) throw Interruption{};
    if (steady_seconds() - begin > kLongest) {
      throw DeviceError(program_ + ": took too long and was ended");
    }
  }
}

void GateSide::died() {
  if (interrupted()) throw Interruption{};
  const ProcessEnd end = process_.end();
  throw DeviceError(program_ + ": its worker ended (exit " + std::to_string(end.code) + ')' +
                    (case_id_.empty() ? "" : " in " + case_id_) +
                    (end.last_line.empty() ? "" : ": " + end.last_line));
}

void throw_no_report(const std::string& who, const ProcessEnd& end) {
  constexpr std::string_view kSaidBy = "rotor-bench: ";
  const bool refused = end.last_line.starts_with(kSaidBy);
  const std::string reason = refused ? end.last_line.substr(kSaidBy.size()) : end.last_line;
  if (refused && end.code == kExitUsage) throw UsageError(reason);
  if (refused && end.code == kExitBadInput) throw FormatError(reason);
  if (refused && end.code == kExitUnavailable) throw UnsupportedError("refused", reason);
  throw DeviceError(
      who + (end.timed_out ? ": took too long and was ended"
                           : ": left no report (exit " + std::to_string(end.code) +
                                 (reason.empty() ? "); is it a rotor-bench?" : "): " + reason)));
}

}  // namespace rotor
