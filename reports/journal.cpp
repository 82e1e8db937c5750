#include "reports/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace rotor {
namespace {

struct Fold {
  Report& report;

  void operator()(const RunStart& start) const {
    report.version = kReportVersion;
    report.run = start.run;
    report.machine = start.machine;
    report.devices = start.devices;
    report.results = start.plan;
  }
  void operator()(const CaseResult& visit) const {
    const auto known =
        std::find_if(report.results.begin(), report.results.end(), [&](const CaseResult& r) {
          return r.spec.id == visit.spec.id && r.device == visit.device;
        });
    if (known == report.results.end()) {
      report.results.push_back(visit);
    } else {
      merge_visit(*known, visit);
    }
  }
  void operator()(const RowCheck& row) const { report.battery.push_back(row); }
  void operator()(const KvResult& kv) const { report.kv.push_back(kv); }
  void operator()(const KvTiming& timing) const { report.kv_timings.push_back(timing); }
  void operator()(const QualityResult& quality) const { report.quality.push_back(quality); }
  void operator()(const SamplerCheck& check) const { report.sampler_checks.push_back(check); }
  void operator()(const Roof& roof) const { report.roofs.push_back(roof); }
  void operator()(const Event& event) const {
    report.events.push_back(event);
    if (event.kind == "resumed") report.run.resumed_from = event.detail;
  }
  void operator()(const SelfTestDone& done) const {
    report.run.self_test = done.kernels;
    report.run.kv_self_test = done.kv;
    report.run.gate_self_test = done.gate;
  }
  void operator()(const RunEnd& end) const {
    report.run.ended_at = end.ended_at;
    report.run.complete = end.complete;
    report.machine.power_end = end.power;
    std::vector<std::string>& warnings = report.machine.warnings;
    warnings.insert(warnings.end(), end.warnings.begin(), end.warnings.end());
    report.summary = end.summary;
  }
};

template <typename T>
void append_to(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

// Offsets count from the start of the case: those of a later visit start later.
void append_samples(Measurement& known, const Measurement& visit, double later_s) {
  append_to(known.samples_s, visit.samples_s);
  append_to(known.host_samples_s, visit.host_samples_s);
  for (const double offset : visit.offsets_s) known.offsets_s.push_back(offset + later_s);
  append_to(known.visits, visit.visits);
  known.warmup_launches += visit.warmup_launches;
  known.stop = visit.stop;
}

std::string reason_of(int error) {
  return std::strerror(error);
}

// What a run comes to if nothing more is heard of it.
Summary cut_off(const Report& report) {
  const auto missing =
      std::count_if(report.results.begin(), report.results.end(),
                    [](const CaseResult& r) { return r.verdict.status == Status::NotRun; });
  const std::string what = missing == 0
                               ? "before its end"
                               : "with " + std::to_string(missing) + " of " +
                                     std::to_string(report.results.size()) + " cases not reached";
  return {kExitInfrastructure, "cut off " + what + "; repeat the command with --resume", 0};
}

}  // namespace

void merge_visit(CaseResult& known, const CaseResult& visit) {
  if (known.verdict.status == Status::NotRun) {
    const std::string repro = known.repro;
    known = visit;
    if (known.repro.empty()) known.repro = repro;
    return;
  }
  known.attempts = std::max(known.attempts, visit.attempts);
  known.end_s = visit.end_s;
  for (const auto& [phase, seconds] : visit.phases_s) known.phases_s[phase] += seconds;
  if (visit.verdict.status != known.verdict.status) {
    // A visit that was wrong weighs more than one that was right, whichever came first.
    const bool worse = known.verdict.passed();
    if (worse) known.verdict = visit.verdict;
    known.measurement.reset();
    return;
  }
  if (!known.measurement) {
    known.measurement = visit.measurement;
  } else if (visit.measurement) {
    append_samples(*known.measurement, *visit.measurement, visit.start_s - known.start_s);
  }
}

void fold(Report& report, const Record& record) {
  std::visit(Fold{report}, record);
  if (std::holds_alternative<RunEnd>(record)) return;
  report.run.complete = false;  // also where a run that had ended goes on
  report.summary = cut_off(report);
}

Journal::Journal(std::string path, Open how) : path_(std::move(path)) {
  if (path_.empty()) return;
  if (how == Open::Resume) {
    report_ = replay_journal(path_);
    const std::string text = load_file(path_);
    whole_bytes_ = text.rfind('\n') + 1;  // a torn last line goes
  }
  const int mode = how == Open::New ? O_TRUNC : O_APPEND;
  file_ = ::open(path_.c_str(), O_CREAT | mode | O_WRONLY | O_CLOEXEC, 0644);
  const bool cut = how == Open::New || ::ftruncate(file_, static_cast<off_t>(whole_bytes_)) == 0;
  if (file_ < 0 || !cut) throw OutputError(path_ + ": cannot be written: " + reason_of(errno));
}

Journal::~Journal() {
  if (file_ >= 0) ::close(file_);
}

void Journal::append(const Record& record) {
  const std::string line = write_record(record);
  // What is kept is what was written, to the last digit: a report made now and one rebuilt from the
  // file are the same.
  fold(report_, read_record(line, path_.empty() ? "journal" : path_));
  if (file_ >= 0) write_line(line + '\n');
}

void Journal::write_line(const std::string& line) {
  std::size_t written = 0;
  while (written < line.size()) {
    const ssize_t n = ::write(file_, line.data() + written, line.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    written += static_cast<std::size_t>(n);
  }
  // fdatasync fails with EINVAL on pipes and the like, which cannot be synced and need not be.
  const bool synced = written == line.size() && (::fdatasync(file_) == 0 || errno == EINVAL);
  if (!synced) {
    const std::string reason = reason_of(errno);
    // Leave whole records only. If that fails too, the reader ignores the torn line.
    [[maybe_unused]] const int cut = ::ftruncate(file_, static_cast<off_t>(whole_bytes_));
    ::close(file_);
    file_ = -1;
    throw OutputError(path_ + ": cannot be written: " + reason);
  }
  whole_bytes_ += line.size();
}

Report replay_journal(const std::string& path) {
  const std::string text = load_file(path);
  Report report;
  std::size_t begin = 0;
  std::size_t number = 1;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::string_view line(text.data() + begin, end - begin);
    const Record record = read_record(line, path + ":" + std::to_string(number));
    if (number == 1 && !std::holds_alternative<RunStart>(record)) {
      throw FormatError(path + ": does not begin with the start of a run");
    }
    fold(report, record);
    ++number;
  }
  if (number == 1) throw FormatError(path + ": holds no record; not a journal of rotor-bench");
  return report;
}

}  // namespace rotor
