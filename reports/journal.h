// Journal: what a report is rebuilt from. One JSON object a line, appended and synced as things
// happen, so that a power cut costs the last line and nothing before it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "reports/report.h"

namespace rotor {

// The first record: everything that is known before anything has run. Planned cases have the status
// they have already (unsupported, skipped) or NotRun.
struct RunStart {
  Run run;
  Machine machine;
  std::vector<DeviceFacts> devices;
  std::vector<CaseResult> plan;
};

struct SelfTestDone {
  std::optional<MutantCount> kernels;
  std::optional<MutantCount> kv;
  std::optional<MutantCount> gate;
};

// The last record; without it the run did not come to its end.
struct RunEnd {
  std::string ended_at;
  bool complete = false;  // false: interrupted
  PowerState power;
  std::vector<std::string> warnings;  // found on the way
  Summary summary;
};

// A CaseResult is one visit of a case: visits of the same case and device are merged.
using Record = std::variant<RunStart, RowCheck, CaseResult, KvResult, KvTiming, QualityResult,
                            SamplerCheck, Roof, Event, SelfTestDone, RunEnd>;

std::string write_record(const Record& record);  // one line, without its end
// Throws FormatError; `name` appears in messages.
Record read_record(std::string_view line, const std::string& name);

// Adds a record to the report. Records of unplanned cases are appended. Until a RunEnd comes, the
// summary is that of a run that was cut off: it failed (exit code 4), and says how to go on.
void fold(Report& report, const Record& record);

// Joins a later visit of a case to what is known of it: samples are appended; a visit that failed
// takes the times away, for a result may hold a Measurement only if its Verdict passed.
void merge_visit(CaseResult& known, const CaseResult& visit);

// Appends to a file and keeps the report that follows from what was appended.
class Journal {
 public:
  enum class Open : std::uint8_t { New, Resume };

  // New: creates or empties the file; an empty path keeps the report only. Resume: keeps what whole
  // records the file has, as the report so far. Throws OutputError; FormatError where the file to
  // resume is no journal.
  explicit Journal(std::string path, Open how = Open::New);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Throws OutputError when the record could not be written; the file then still ends with the last
  // whole record, and the report holds the new one all the same.
  void append(const Record& record);
  const Report& report() const { return report_; }

 private:
  void write_line(const std::string& line);

  std::string path_;
  int file_ = -1;
  std::uint64_t whole_bytes_ = 0;  // up to the end of the last whole record
  Report report_;
};

// The report of a journal, whether or not its run came to an end. A torn last line is ignored.
// Throws FormatError.
Report replay_journal(const std::string& path);

}  // namespace rotor
