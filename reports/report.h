// Report: what a run of rotor-bench leaves behind, and everything done with it. A report is a fold
// over the records of a journal (reports/journal.h); it never starts a run.
//
// The JSON form is reports/report-1.schema.json: units in key names, 64-bit numbers as hex strings,
// finite numbers only. Readers accept every minor version of major 1 and ignore keys they do not
// know.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/quality.h"
#include "core/result.h"
#include "reports/published.h"
#include "reports/roofline.h"

namespace rotor {

// The program that measured.
struct BuildFacts {
  std::string version;
  std::string commit;
  bool dirty = false;
  std::string compiler;
  std::string type;  // "Release"
  std::string flags;
  std::map<std::string, std::string> libraries;  // name -> version
};
BuildFacts this_build();

// How many injected bugs were found.
struct MutantCount {
  std::uint32_t mutants = 0;
  std::uint32_t caught = 0;
  std::vector<std::string> missed;
};

struct Run {
  std::string id;          // sortable by time: start in UTC and a random part
  std::string started_at;  // ISO 8601, UTC
  std::string ended_at;    // empty while it runs
  bool complete = false;   // the run came to its own end
  std::string resumed_from;
  std::vector<std::string> argv;
  std::string suite;
  std::uint64_t seed = 0;
  BuildFacts build;
  std::map<std::string, std::string> options;  // every effective option, defaults included
  std::map<std::string, std::string> context;  // what the caller wants remembered
  std::uint64_t plan_hash = 0;                 // of the planned case ids: --resume refuses another
  std::optional<MutantCount> self_test;        // kernel mutants
  std::optional<MutantCount> kv_self_test;     // injected cache bugs
  std::optional<MutantCount> gate_self_test;   // seeded slow-downs
};

struct CpuCache {
  unsigned level = 0;
  std::string type;  // Data, Instruction, Unified
  std::uint64_t bytes = 0;
  unsigned shared_by = 1;  // hardware threads
};

struct Cpu {
  std::string vendor;
  std::string model;
  std::string family;  // as numbers, in the vendor's counting
  std::string model_number;
  std::string stepping;
  unsigned sockets = 0;
  unsigned cores = 0;
  unsigned threads = 0;
  std::vector<CpuCache> caches;    // those of the first core
  std::vector<std::string> flags;  // the vector extensions among them
};

// What may change while a program runs. Absent: the system does not tell.
struct PowerState {
  std::optional<bool> on_ac;
  std::string governor;  // of the CPU's clock; "mixed" if cores differ; empty if unknown
  std::string profile;   // of the firmware
  std::optional<double> cpu_temp_c;
  std::optional<double> gpu_temp_c;
  std::optional<double> load_avg_1m;
  std::optional<double> battery_pct;
};

struct Machine {
  std::string label;  // "AMD EPYC, 2 cores": never a host name
  std::uint64_t hw_key = 0;
  std::uint64_t sw_key = 0;
  std::string os;      // "Debian GNU/Linux 12 (bookworm)"
  std::string kernel;  // "6.1"
  Cpu cpu;
  std::uint64_t memory_bytes = 0;
  std::string virtualised;  // empty: no sign of it
  PowerState power_start;
  std::optional<PowerState> power_end;
  std::vector<std::string> warnings;  // why the times may not be what they should be
};

struct DeviceFacts {
  std::string id;       // "cpu:0"
  std::string backend;  // "cpu"
  std::string name;
  std::string kind;
  std::string driver;
  std::string api_version;
  std::string vendor_id;
  std::string device_id;
  std::map<std::string, std::string> features;
  std::string timer = "steady_clock";  // or vk_timestamp, cl_event
  std::optional<double> timer_period_ns;
  bool timer_trusted = true;
  std::string timer_check;  // what was tried, for people
};

struct Event {
  double t_s = 0;    // since the start of the run
  std::string kind;  // device_lost, worker_restart, throttle_start, ...
  std::string case_id;
  std::string detail;
};

struct Summary {
  int exit_code = 0;
  std::string exit_reason;
  double wall_s = 0;
};

struct Report {
  std::string version;  // of the format
  Run run;
  Machine machine;
  std::vector<DeviceFacts> devices;
  std::vector<Roof> roofs;
  std::vector<RowCheck> battery;
  std::vector<CaseResult> results;  // every planned case, in the order of the plan
  std::vector<KvResult> kv;
  std::vector<KvTiming> kv_timings;
  std::vector<QualityResult> quality;
  std::vector<SamplerCheck> sampler_checks;
  std::vector<Event> events;
  Summary summary;
  // A report of kind "published" has this, the version, and nothing else.
  std::optional<Publication> published;
};

inline constexpr std::string_view kReportVersion = "1.7.0";

// --- Names of the format: the one place where they are written (reports/names.cpp). -------------
std::string_view status_name(Status status);  // "fail_verify"
std::string_view criterion_name(Criterion criterion);
std::string_view stop_name(StopReason stop);
// The other way; nothing for an unknown name.
std::optional<Status> parse_status(std::string_view name);
std::optional<Criterion> parse_criterion(std::string_view name);
std::optional<StopReason> parse_stop(std::string_view name);

// The kernels gave a wrong answer: fail_*, and pass_flaky, because a race is a bug.
bool is_wrong(Status status);
// The harness could not find out: crash, timeout, device_lost, out_of_memory, error.
bool is_broken(Status status);

// 64-bit numbers as the format writes them: 16 hexadecimal digits.
std::string hex_key(std::uint64_t value);

// 64-bit identity of a case's parameters, the same on every machine.
std::uint64_t case_key(const Case& spec);

// --- What follows from the samples (reports/derive.cpp). ----------------------------------------
struct Derived {
  double median_s = 0;
  double q1_s = 0;
  double q3_s = 0;
  double spread = 0;       // the larger distance of a quartile from the median, as a fraction of it
  double uncertainty = 0;  // half of the 95 % interval of the median, likewise; infinite if unknown
  double ops_per_s = 0;    // a multiply-add is two
  double bytes_per_s = 0;
  std::optional<double>
      speedup;                  // over the dense FP32 product on the CPU: same shape, batch, cache
  bool noisy = false;           // the spread or the trend says: do not trust the last digits
  std::optional<Limit> limit;   // of the device, where its roofline was measured
  std::optional<double> share;  // of the limit that was reached: 1 is as fast as can be
  // Faster than the device can be: a cache that was not cold, a clock or a roof that is wrong.
  bool above_roof = false;
};
// Index i belongs to results[i]; nothing where nothing was measured.
std::vector<std::optional<Derived>> derive(const Report& report);

// --- JSON (reports/json.cpp). -------------------------------------------------------------------
// A result whose numbers are not finite is written with status `error`, code `non_finite`.
std::string write_json(const Report& report);
// `name` appears in messages. Throws FormatError.
Report read_json(std::string_view text, const std::string& name);

// Writes beside `path`, syncs and renames, so that a reader sees the old file or the whole new one.
// Throws OutputError.
void save_file(const std::string& path, std::string_view text);
// Whether save_file could work, found out before an hour of measuring. Throws OutputError.
void check_writable(const std::string& path);
// Throws FormatError.
std::string load_file(const std::string& path);

// --- The machine (reports/environment.cpp). -----------------------------------------------------
// Reads /proc and /sys below `root`; what is not there stays empty. Fills the keys for no devices.
Machine read_machine(const std::string& root = "/");
PowerState read_power(const std::string& root = "/");
// Stable identity only: never clocks, serials, free memory or driver versions.
std::uint64_t hardware_key(const Machine& machine, const std::vector<DeviceFacts>& devices);
// What may change on the same hardware: system, drivers, compiler, flags.
std::uint64_t software_key(const Machine& machine, const BuildFacts& build,
                           const std::vector<DeviceFacts>& devices);
// Why times measured here and now deserve distrust.
std::vector<std::string> environment_warnings(const Machine& machine, const BuildFacts& build);

// --- For people, at most 100 columns of UTF-8 (reports/console.cpp, reports/closing.cpp). --------
std::string heading(const Report& report);        // program, machine, devices
std::string result_tables(const Report& report);  // every case that has something to show
std::string closing_block(const Report& report);  // totals, failures, warnings, exit code

}  // namespace rotor
