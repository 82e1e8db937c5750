// Plain data that crosses folders: what to run, what came of checking it, what the clock said.
// The fields are those of the report format (reports/report-1.schema.json), which explains them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace rotor {

// How a case ended; the closed list of the report format.
enum class Status : std::uint8_t {
  Pass,
  PassFlaky,             // wrong once, right when repeated
  SuspectNumeric,        // within the bound, but oddly
  FailVerify,            // wrong values, or poison left in the output
  FailGuard,             // wrote outside its output, or changed an input
  FailNondeterministic,  // two runs differ
  Unsupported,           // this device cannot; reason says why
  Skipped,               // left out on purpose: filter, budget
  Waived,                // a known issue
  Timeout,
  Crash,
  DeviceLost,
  OutOfMemory,
  Error,
  NotRun,  // planned, but the run ended before it
};

// All layers of a model for one token, whose keys and values join those of `position` tokens; or their
// products alone, where that is 0.
struct LayersShape {
  std::uint32_t layers = 0;
  std::uint32_t ffn = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t position = 0;

  bool operator==(const LayersShape&) const = default;
};

// What to run. `id` is "<variant>/n<n>_k<k>_b<m>" plus "/hot" for cached weights, or for all layers
// "<variant>/l<layers>_h<hidden>_f<ffn>_q<heads>_kv<kv_heads>_d<head_dim>_p<position>" (products end
// in front of the position): it contains no machine, so that reports of different machines can be joined on
// it.
struct Case {
  std::string id;
  std::string op;       // "matmul"
  std::string backend;  // "cpu"
  std::string variant;  // "matmul_bitpacked_avx2"
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  bool hot = false;  // weights cached between launches; else rotated through memory
  std::uint64_t seed = 0;
  std::optional<LayersShape>
      layers;  // ops "layers", "products"; n and k are then the width between layers, m is 1
};

// One input that was checked: the kind of data, its seed, and a digest of it.
struct CheckedInput {
  std::string distribution;
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;
  std::uint64_t mismatches = 0;
};

struct Mismatch {
  std::uint32_t row = 0;  // token
  std::uint32_t col = 0;  // output feature
  double want = 0;
  double got = 0;
};

enum class Criterion : std::uint8_t { ExactInt, ExactFloat, BoundedFloat, BitwiseEqual };

// What came of checking a case. A wrong result is a Verdict, not an error.
struct Verdict {
  Status status = Status::NotRun;
  std::string reason_code;  // empty on pass
  std::string message;      // for people; empty on pass
  Criterion criterion = Criterion::ExactInt;
  std::string reference;  // "eigen f32 (exact below 2^24)"
  std::string proof;      // why the criterion holds: "127 * 6912 < 2^31"
  std::vector<CheckedInput> inputs;
  std::uint64_t checked = 0;  // outputs compared
  bool sampled = false;       // only part of the outputs was compared
  std::uint64_t mismatches = 0;
  std::vector<Mismatch> first;  // at most 10, worst first
  double max_abs = 0;
  std::optional<double> max_over_bound;  // bounded criteria
  std::string bound;                     // how the bound is derived; empty for exact ones
  bool poison_cleared = false;
  bool guards_intact = false;
  bool inputs_unchanged = false;
  bool repeat_bitwise_equal = false;
  bool timed_output_verified = false;  // the outputs of the timed launches were compared, too
  std::uint64_t output_digest = 0;

  bool passed() const { return status == Status::Pass; }
};

enum class StopReason : std::uint8_t { Converged, MaxTime, MaxSamples, Fixed, Timeout };

// What the clock said: raw samples first, statistics derived from them.
struct Measurement {
  std::string clock;  // "steady_clock", "vk_timestamp", "cl_event"
  bool cold = true;   // weights rotated through buffers larger than the caches
  std::uint32_t rotate_buffers = 1;
  std::uint32_t warmup_launches = 0;
  std::uint32_t launches_per_sample = 1;
  std::vector<double> samples_s;       // seconds per launch, in measuring order
  std::vector<double> host_samples_s;  // the host's view, where `clock` is a device's
  std::vector<double> offsets_s;       // start of each sample since the start of the case
  std::vector<std::uint32_t> visits;   // samples of each visit: a case is measured at several times
  StopReason stop = StopReason::Fixed;
  std::uint64_t macs = 0;          // multiply-adds of one launch
  std::uint64_t min_bytes = 0;     // bytes that one launch must at least move
  std::uint64_t weight_bytes = 0;  // of these, weights
};

// One row of the report.
struct CaseResult {
  Case spec;
  std::string device;  // "cpu:0"
  Verdict verdict;
  std::optional<Measurement> measurement;  // only if the verdict passed
  std::map<std::string, double> phases_s;  // compile, fill, reference, compare, warmup, sample
  double start_s = 0;                      // since the start of the run
  double end_s = 0;
  std::uint32_t attempts = 1;  // how often it was checked: 2 where the first check failed
  std::string repro;           // the command that repeats it
  bool chosen = false;         // the runtime takes this variant for such a matrix and batch
  std::string packing;         // of its weights, "bits2x16"; empty in older reports
};

// One row of the registry put through the battery of small odd shapes, before it is timed.
struct RowCheck {
  std::string variant;  // "cpu/matmul_bitpacked_avx2"
  std::string op;       // "matmul"
  std::string device;   // "cpu:0"
  Verdict verdict;
  double seconds = 0;
  std::string repro;
};

// One row of the KV-cache A/B test (measuring-and-verifying, part D).
struct KvResult {
  std::string id;      // "kv/lockstep/prefill64/demo"
  std::string device;  // "cpu:0"
  std::string mode;    // bitwise, cache_rows, lockstep, bypass_quant, end_to_end
  std::string variant;
  Status status = Status::NotRun;
  std::string reason_code;
  std::string message;
  std::uint32_t positions = 0;
  std::optional<double> attn_max_rel;
  std::optional<std::uint64_t> kv_rows_unequal;
  std::optional<double> logit_median_rel;
  std::optional<double> logit_max_rel;
  std::optional<double> int8_flip_rate;
  std::optional<std::uint32_t> tokens_equal;
  std::optional<std::uint32_t> first_divergence;  // position
  std::map<std::string, double> tolerance;
};

// Time per token with and without the cache at one position, and what it can be held against.
struct KvTiming {
  std::string model;
  std::string device;
  std::uint32_t position = 0;
  std::string format;       // of the cache's rows: "f32"
  double with_cache_s = 0;  // medians
  double without_cache_s = 0;
  std::vector<double> with_cache_samples_s;
  std::vector<double> without_cache_samples_s;
  // Medians on the device's own clock, where it has one.
  std::optional<double> with_cache_device_s;
  std::optional<double> without_cache_device_s;
  // Unknown (empty, 0) in reports before format 1.5.
  std::string head;  // table of the last product: "exact"
  // The kernel that multiplies a single token with the weights, or runs all layers; that for many tokens.
  std::string variant;
  std::string prompt_variant;
  // Read at least for the token with the cache: weights, head, its rows.
  std::uint64_t token_bytes = 0;
  std::uint64_t token_macs = 0;  // multiply-adds of a token with ternary weights
};

}  // namespace rotor
