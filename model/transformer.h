// The forward pass of BitNet b1.58 (bitnet-b1.58 2B4T technical report; Hugging Face's
// BitNetForCausalLM is the reference), in the exact profile: FP32 residual stream, norms, RoPE and
// softmax; integer products; FP32 accumulation in the head.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/head_format.h"
#include "model/kv_cache.h"
#include "model/ranked_logits.h"
#include "model/weights.h"
#include "runtime/choose.h"

namespace rotor {

// Looks into a forward pass, and may disturb it: for tests. Every hook costs a round trip.
class Probe {
 public:
  virtual ~Probe() = default;
  // The residual stream [m, hidden] that enters `layer`; called once more with the number of layers
  // before the final norm. What the hook changes is used.
  virtual void layer_input(std::uint32_t layer, std::span<float> x) { (void)layer, (void)x; }
  // The rows of this call are in the cache, attention comes next.
  virtual void cache_written(std::uint32_t layer, KvCache& cache) { (void)layer, (void)cache; }
  // What attention gives, [m, heads * head_dim], before the sub-norm.
  virtual void attention_output(std::uint32_t layer, std::span<const float> out) {
    (void)layer, (void)out;
  }
  // After the final norm, [m, hidden].
  virtual void final_norm(std::span<const float> x) { (void)x; }
};

struct TransformerOptions {
  std::uint32_t chunk = 0;  // tokens a prompt is processed in at a time; 0: what suits the device
  HeadFormat head = HeadFormat::Stored;
  // Told the share that is loaded, 0 to 1, from any thread.
  std::function<void(double)> progress;
};

class Transformer {
 public:
  // Packs the weights for the device's best kernels; the checkpoint is not needed afterwards.
  // Throws FormatError, UnsupportedError, DeviceError.
  Transformer(KernelSet& kernels, const Checkpoint& checkpoint, const TransformerOptions& options);

  const Config& config() const { return config_; }

  // Processes tokens at the positions cache.length() ... and appends them to the cache. Returns the
  // logits of the last token, [vocab], valid until the next call. Throws UsageError if a token is
  // not in the vocabulary, there is none, or the cache is full; the cache is unchanged then.
  // top: how many of the largest logits the caller uses; 0: all. With HeadFormat::Exact those are
  // exact and larger than all others, which may come from the coarse table. On a GPU the others may be
  // -infinity: the largest are found there, and only they come back.
  std::span<const float> forward(std::span<const std::uint32_t> tokens, KvCache& cache,
                                 std::uint32_t top = 0);

  // The same for at most `chunk` tokens, with the logits of all of them, [m, vocab], and a probe.
  std::span<const float> forward_all(std::span<const std::uint32_t> tokens, KvCache& cache,
                                     Probe* probe = nullptr);

  // Of the last call of forward: the largest logits, best first, where the device found them, and nothing
  // where all of them came back. Valid until the next call.
  std::span<const RankedLogit> ranked() const { return best_; }

  // Of the last call, all its chunks together.
  const Timing& timing() const { return timing_; }

  std::uint32_t chunk() const { return chunk_; }
  std::size_t weight_bytes() const;      // packed ternary weights, scales and norms
  std::size_t table_bytes() const;       // embedding, and heads that are not the same
  std::size_t activation_bytes() const;  // buffers of intermediate results

  // What the next token reads at least: weights, the table of its head (of an exact head the coarse copy)
  // and the rows that this cache holds.
  std::size_t token_bytes(const KvCache& cache) const;
  // Multiply-adds of a token with ternary weights.
  std::uint64_t token_macs() const;
  // What multiplies `m` tokens with the largest weights, or for one token runs all layers on this cache.
  const KernelVariant& product_variant(const KvCache& cache, std::uint32_t m);

 private:
  // Which rows of the last norm go through the head, and through which table.
  enum class HeadPass : std::uint8_t { Full, Coarse };
  struct LogitRows {
    std::uint32_t first;
    std::uint32_t count;
    HeadPass pass = HeadPass::Full;
    std::uint32_t ranked = 0;  // so many of the largest logits are to be found on the device
  };
  // Whether a norm first adds the output of the sub-layer before it to the residual stream.
  enum class Residual : std::uint8_t { AsIs, AddDelta };
  struct Matrix {
    std::uint32_t n;
    std::uint32_t k;
    Packing packing;
    View weights;
    View scales;  // [n]
  };
  struct Layer {
    Matrix qkv, output, gate_up, down;
    View input_norm, attention_norm, post_norm, ffn_norm;
  };
  // Rows of the embedding or the head that fit into one binding.
  struct TableSlice {
    std::uint32_t first;
    std::uint32_t rows;
    std::unique_ptr<Buffer> buffer;
  };
  struct DeviceTable {
    Packing packing = Packing::Bf16;
    std::vector<TableSlice> slices;
  };
  // Intermediate results of at most `chunk` tokens.
  struct Activations {
    std::unique_ptr<Buffer> step;      // u32: position, m, token ids
    std::unique_ptr<Buffer> x;         // [m, hidden] residual stream
    std::unique_ptr<Buffer> delta;     // [m, hidden] output of a sub-layer
    std::unique_ptr<Buffer> codes;     // [m, stride of the widest input] int8
    std::unique_ptr<Buffer> tokens;    // [m] TokenScale
    std::unique_ptr<Buffer> wide;      // [m, q + k + v] or [m, gate + up]
    std::unique_ptr<Buffer> attended;  // [m, heads * head_dim]
    std::unique_ptr<Buffer> normed;    // [m, hidden] after the final norm
    std::unique_ptr<Buffer> logits;    // [rows asked for, vocab]
    std::unique_ptr<Buffer> work;      // of Layers; none before its first use
  };
  // One token, recorded for the cache of this id.
  struct Decode {
    std::unique_ptr<Sequence> sequence;
    std::uint64_t cache = 0;
    std::uint32_t ranked = 0;
    const Kernel* at_once = nullptr;  // what runs all layers; none: part by part
  };
  // HeadFormat::Exact: the coarse table, and rows of the exact one that are computed after it.
  struct ExactHead {
    DeviceTable coarse;
    HeadBound bound;
    std::unique_ptr<Buffer> rows;    // [kRescored] of the exact table
    std::unique_ptr<Buffer> logits;  // [kRescored]
    std::vector<std::byte> row_bytes;
    std::vector<float> x;                   // [hidden]
    std::vector<float> values;              // [kRescored]
    std::vector<std::uint32_t> candidates;  // at most kRescored
  };
  static constexpr std::size_t kRescored = 4096;  // above, the full product is not much slower

  LayersParams layers_params(std::uint32_t capacity) const;
  void place_layers();
  void load_layers(const Checkpoint& checkpoint, const std::function<void(double)>& progress);
  void load_tables(const Checkpoint& checkpoint, HeadFormat format);
  void load_exact_head(const Table& table);
  DeviceTable load_table(const Table& table);
  const DeviceTable& head() const {
    return untied_head_.slices.empty() ? embedding_ : untied_head_;
  }
  void make_activations();
  void check(std::span<const std::uint32_t> tokens, const KvCache& cache) const;
  void run(std::span<const std::uint32_t> tokens, KvCache& cache, LogitRows rows, Probe* probe);
  void write_step(std::span<const std::uint32_t> tokens, std::uint32_t position);
  void dispatch_forward(std::uint32_t m, KvCache& cache, LogitRows rows, Probe* probe,
                        const Kernel* at_once);
  void dispatch_embed(std::uint32_t m);
  void dispatch_attention(std::uint32_t m, std::uint32_t layer, KvCache& cache, Probe* probe);
  void dispatch_ffn(std::uint32_t m, std::uint32_t layer);
  void dispatch_norm(std::uint32_t m, View gain, Residual residual);
  void dispatch_matmul(std::uint32_t m, const Matrix& matrix, View out);
  void dispatch_head(std::uint32_t m, LogitRows rows, Probe* probe);
  void dispatch_logits(LogitRows rows);
  void dispatch_logits(const DeviceTable& table, LogitRows rows);
  std::uint32_t head_rows_at_once(const DeviceTable& table) const;
  void decode(LogitRows rows, KvCache& cache);
  const Kernel* whole_step(const KvCache& cache);
  void dispatch_layers(const Kernel& kernel, KvCache& cache);
  void read_logits(std::uint32_t ranked, std::span<float> logits);
  bool gave_up();
  bool rescore(std::uint32_t row, std::uint32_t top, std::span<float> logits);
  void probe_layer_input(std::uint32_t m, std::uint32_t layer, View gain, Probe& probe);

  KernelSet& kernels_;
  Device& device_;
  Config config_;
  std::uint32_t chunk_;
  // Weights of all layers: in one buffer as kernels/layers_layout.h has it, or one each.
  std::vector<std::unique_ptr<Buffer>> weights_;
  bool in_one_buffer_ = false;
  bool steps_at_once_ = true;  // until work-groups waited for each other in vain
  std::vector<Layer> layers_;
  DeviceTable embedding_;
  DeviceTable untied_head_;  // no slices where the head is the embedding
  View final_norm_;
  std::unique_ptr<Buffer> angles_;
  Activations act_;
  std::unique_ptr<ExactHead> exact_;    // none in other formats
  std::optional<RankedLogits> ranked_;  // none where the logits are in the host's memory anyway
  Timing timing_;
  std::vector<float> logits_;  // [rows asked for, vocab]
  std::span<const RankedLogit> best_;
  std::vector<std::uint32_t> places_;  // of the only logits above -infinity; none: any
  std::vector<std::uint32_t> step_;    // position, m, token ids
  Decode decode_[2];                   // by HeadPass
};

}  // namespace rotor
