// What benchmarking offers, on one page. A run plans cases (bench/cases.h), puts every kernel row
// through verify's battery, visits the cases in random order (bench/pace.h), checks each before and
// after it is timed (bench/visit.h), and keeps everything in a journal from which the report follows
// (reports/journal.h).
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/devices.h"
#include "runtime/tuning.h"

namespace rotor {

inline constexpr double kLeastForRoofs = 20;  // seconds

struct BenchOptions {
  std::string suite = "all";
  std::vector<std::string> filters;  // bench/cases.h, Filter
  std::string device;                // as in open_device; empty: every device
  DeviceOptions device_options;
  TuningOptions tuning;    // where whole models are run; the matmul suite times every row as it is
  std::string model;       // adds its shapes; as in open_checkpoint
  std::string kv = "f32";  // format of the cache's rows where whole models are timed
  std::string text;  // file whose likelihood the quality suite measures; empty: the demo's own
  std::uint64_t seed = 0;
  double budget_s = 600;
  bool verify_only = false;
  // Measure each device's limits; unset: with kLeastForRoofs of budget, where the checks leave time.
  std::optional<bool> roofline;
  bool self_test = false;  // let checks and statistics find what is injected, and nothing else
  std::string out;         // report; "-" is stdout; empty: none
  bool resume = false;     // go on with the journal beside `out`
  bool isolation = true;   // work in a process of its own (bench/worker.h)
  bool worker = false;     // be that process, on `device`
  // A worker that gives no sign of life for so long is ended: before its launches are timed (compiling,
  // filling, checking), and while they are.
  double prepare_timeout_s = 180;
  double run_timeout_s = 60;
  std::string known_issues;  // file (reports/known_issues.h); empty: the list in the program
  std::map<std::string, std::string> context;  // remembered in the report
  std::vector<std::string> argv;               // for the report
  std::vector<std::string> repro_args;  // flags that a command repeating a case needs as well
  bool terminal = false;                // show progress on `talk`
};

// The names that --suite takes.
std::vector<std::string> suite_names();

// Runs; tables go to `out` (to `talk` where the report goes to stdout). Returns an exit code. Throws
// UsageError if nothing matches, UnsupportedError for a device that is not here, FormatError for a
// bad model, OutputError.
int run_bench(const BenchOptions& options, std::ostream& out, std::ostream& talk);

// `rotor-bench --tune`: finds the best rows and tiles for the products of a model (`model`; empty: 2B4T)
// on `device` (empty: every device) within `budget_s`, and keeps them in the tuning record. Tables go to
// `out`. Throws as run_bench does (UsageError also for options of a run that mean nothing here), and
// OutputError if the record cannot be written.
int run_tune(const BenchOptions& options, std::ostream& out, std::ostream& talk);

// Case names, one a line, those that this machine cannot run with the reason behind a tab. That a suite
// has none goes to `talk`.
int list_cases(const BenchOptions& options, std::ostream& out, std::ostream& talk);
// The registry, and what this machine can run of it.
int list_variants(const BenchOptions& options, std::ostream& out);
int list_devices(const BenchOptions& options, std::ostream& out);

// `rotor-bench compare A B`: what changed from one report to the other.
struct CompareOptions {
  std::string a;  // reports
  std::string b;
  std::string format = "console";  // of what goes to standard output
  std::vector<std::string> outs;   // files; their endings tell the format
  double min_effect = 0.05;        // as in reports/compare.h
};
std::vector<std::string> compare_formats();
// By the ending of a file. Throws UsageError for one that is no format's.
std::string format_of(const std::string& path);
// Exit code as in reports/compare.h. Throws FormatError, OutputError, and UsageError for an ending
// that is no format's.
int run_compare(const CompareOptions& options, std::ostream& out, std::ostream& talk);

// `rotor-bench project REPORT`: what a run lets expect of hardware that was not measured.
struct ProjectOptions {
  std::string report;
  std::vector<std::string> onto;  // ids of the hardware table; empty: all
  std::string device;             // of the report; empty: as reports/projection.h chooses
  std::string hardware;           // file with a hardware table; empty: the built-in one
  std::string format = "console";
  std::vector<std::string> outs;
};
// Throws FormatError, OutputError, and UsageError for a name that is not there and where nothing can
// be projected.
int run_project(const ProjectOptions& options, std::ostream& out, std::ostream& talk);

// `rotor-bench show REPORT`: a report, or the journal of a run that was cut off, in other forms.
struct ShowOptions {
  std::string report;
  std::vector<std::string>
      outs;  // .txt .md .html .csv .json, .xml for JUnit; none: on the terminal
};
// Throws FormatError, OutputError, and UsageError for an ending that is no format's.
int run_show(const ShowOptions& options, std::ostream& out, std::ostream& talk);

// `rotor-bench gate BASE_PROGRAM`: this program against another build of it, in turns.
struct GateOptions {
  std::string base;    // program, the older build
  std::string device;  // as in BenchOptions; empty: the CPU, with a report all
  std::vector<std::string> filters;
  std::vector<std::string> args;  // for both programs: filters, --threads, --features
  std::uint32_t rounds = 10;
  double min_effect = 0.03;
  double budget_s = 45;  // no more rounds after it
  std::uint64_t seed = 0;
  bool fail_on_inconclusive = false;
  std::vector<std::string> outs;  // .txt .md .html .json
};
// Exit code as in reports/gate.h. Throws UsageError, DeviceError for a program that cannot be run.
int run_gate(const GateOptions& options, std::ostream& out, std::ostream& talk);

// Turns "--benchmark_*" flags, which hands know from Google Benchmark, into ours; refuses those that
// have no counterpart, naming the flag to use instead. Throws UsageError.
std::vector<std::string> translate_benchmark_flags(const std::vector<std::string>& args);

// "90", "90s", "10m", "1.5h" in seconds. Throws UsageError.
double parse_duration(const std::string& text);
// "5%" or "0.05", above 0 and below 1. Throws UsageError.
double parse_share(const std::string& text);
// Decimal, or hexadecimal with 0x. Throws UsageError.
std::uint64_t parse_seed(const std::string& text);

}  // namespace rotor
