// Runs a model with and without reuse of its cache and compares what comes of it, mode by mode.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/transformer.h"

namespace rotor {

// One step in the life of a cache.
struct KvAction {
  enum class Kind : std::uint8_t {
    Feed,      // the next `count` tokens of the text in one pass
    Junk,      // `count` other tokens in one pass
    Truncate,  // drops all positions from `count` on
    Poison,    // NaN into all rows that hold nothing
  };
  Kind kind;
  std::uint32_t count = 0;
};

// A way to process a text with a cache.
struct KvVariant {
  std::string name;             // "prefill64"
  std::uint32_t positions = 0;  // of the text that it gets through
  std::vector<KvAction> actions;
  Packing format = Packing::F32;
  Packing against = Packing::F32;  // rows of the pass without reuse
  bool full = false;               // the cache has no room for another position
};

// All variants for a text of at most that many tokens.
std::vector<KvVariant> kv_variants(std::uint32_t positions);

// Bug hook: called when rows are written, before attention reads them.
using KvDisturbance =
    std::function<void(Device&, const Config&, KvCache&, std::uint32_t layer, std::uint32_t m)>;

// Batches go through the rows for single tokens as long as this lives.
class SingleRows {
 public:
  explicit SingleRows(KernelSet& kernels) : kernels_(kernels) {
    kernels_.set_batches_by_single_rows(true);
  }
  ~SingleRows() { kernels_.set_batches_by_single_rows(false); }
  SingleRows(const SingleRows&) = delete;
  SingleRows& operator=(const SingleRows&) = delete;

 private:
  KernelSet& kernels_;
};

class KvRunner {
 public:
  KvRunner(KernelSet& kernels, const Checkpoint& checkpoint, std::string model, std::uint64_t seed,
           std::uint32_t positions);

  std::uint32_t positions() const { return static_cast<std::uint32_t>(tokens_.size()); }

  // Records the passes without reuse, so that kernels may be replaced afterwards.
  void prepare(Packing format) { reference(format); }

  KvResult bitwise(const KvVariant& variant);
  // The results of modes lockstep and cache_rows.
  std::vector<KvResult> lockstep(const KvVariant& variant, const KvDisturbance& disturb = nullptr);
  KvResult end_to_end(const KvVariant& variant);
  // Prefill of `prompt` tokens by another runner with the same model and seed, on its device; the rest
  // here, from the copied cache. The control are the passes of both devices without a cache.
  KvResult across(KvRunner& other, std::uint32_t prompt);

  // What a pass showed at every position.
  struct Trace {
    std::vector<std::vector<float>> inputs;     // [layers][positions, hidden]
    std::vector<std::vector<float>> attention;  // [layers][positions, heads * head_dim]
    std::vector<float> logits;                  // [positions, vocab]
  };
  // Cache memory of all layers, keys and values in turn.
  using Rows = std::vector<std::vector<std::byte>>;

 private:
  struct Reference {
    Trace trace;
    Rows rows;
  };
  // Logits of other passes without a cache, against those of the reference: the scale of rounding.
  struct Control {
    double median = 0;
    double largest = 0;
  };
  struct LogitComparison {
    std::vector<double> differences;  // per position, in deviations of the logits
    double wrong_margin = 0;          // the widest margin of a position with another token
  };
  class Recorder;

  // The pass without reuse, through the rows that serve batches at the moment.
  const Reference& reference(Packing format);
  const Control& control(Packing format);
  std::vector<double> differences_without_cache(Packing format, Probe* probe);
  KvCache make_cache(const KvVariant& variant) const;
  Trace empty_trace() const;
  void follow(const KvVariant& variant, KvCache& cache, Recorder* recorder, Trace& trace);
  void feed(std::uint32_t count, KvCache& cache, Recorder* recorder, Trace& trace);
  Rows read_rows(const KvCache& cache) const;
  KvResult start(const char* mode, const KvVariant& variant) const;
  void compare_rows(const KvVariant& variant, const KvCache& cache, KvResult& result);
  LogitComparison compare_logits(const Trace& want, const Trace& got, KvResult& result) const;
  void judge_logits(const LogitComparison& found, const Control& noise, KvResult& result) const;
  bool schedule_is_fixed(Packing format);
  void try_to_overfill(KvCache& cache, KvResult& result);
  double flip_rate(const Trace& a, const Trace& b, std::uint32_t positions) const;

  KernelSet& kernels_;
  Device& device_;
  Config config_;
  Packing head_packing_;
  std::string model_;
  Transformer transformer_;
  std::vector<std::vector<float>> gains_;  // [layers][hidden] of the input norms
  std::vector<std::uint32_t> tokens_;
  std::vector<std::uint32_t> junk_;
  std::map<std::pair<Packing, bool>, Reference> references_;  // bool: batches by single rows
  std::map<Packing, Control> controls_;
};

}  // namespace rotor
