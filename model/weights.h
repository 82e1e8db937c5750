// A checkpoint: configuration and weights, read one matrix at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ternary.h"
#include "kernels/packing.h"

namespace rotor {

// Sizes and constants of a BitNet b1.58 model, as in config.json.
struct Config {
  std::uint32_t vocab = 0;
  std::uint32_t hidden = 0;
  std::uint32_t ffn = 0;
  std::uint32_t layers = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t max_positions = 0;
  float rope_theta = 0;
  float norm_epsilon = 0;
  bool tied_head = true;
  std::uint32_t bos = 0;
  std::vector<std::uint32_t> stop_tokens;  // end of text, end of turn

  std::uint32_t q_rows() const { return heads * head_dim; }
  std::uint32_t kv_rows() const { return kv_heads * head_dim; }
};

enum class Projection : std::uint8_t { Q, K, V, O, Gate, Up, Down };
enum class Norm : std::uint8_t { Input, AttentionSub, PostAttention, FfnSub };

// Rows and columns of a projection.
struct Shape {
  std::uint32_t n;
  std::uint32_t k;
};
Shape projection_shape(const Config& config, Projection projection);
std::uint32_t norm_size(const Config& config, Norm norm);

// Rows of the embedding or the head as the file has them; block formats of GGUF (Q8_0, Q4_0, Q6_K)
// are decoded to F16.
struct Table {
  Packing packing = Packing::Bf16;  // Bf16, F16 or F32
  std::uint32_t rows = 0;
  std::uint32_t columns = 0;
  std::span<const std::byte> bytes;        // [rows, columns]
  std::shared_ptr<const void> owner = {};  // keeps them
};

// A tensor as its file has it, for people.
struct TensorSummary {
  std::string name;
  std::string type;  // as the format spells it: "BF16", "I2_S"
  std::uint64_t bytes;
};

// Weights behind one interface, whatever the file. All functions may be called from several threads
// at once. They throw FormatError when the file is not what it should be.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  virtual const Config& config() const = 0;
  // "safetensors, packed (offline)": for people.
  virtual std::string description() const = 0;
  // What the files hold, in no particular order; nothing for generated weights.
  virtual std::vector<TensorSummary> tensors() const { return {}; }
  virtual TernaryMatrix projection(std::uint32_t layer, Projection which) const = 0;
  // The same, built in memory that an earlier matrix released. Loading is twice as fast for it: fresh
  // memory comes from the system in pages of zeros.
  virtual TernaryMatrix projection_in(std::vector<std::int8_t> memory, std::uint32_t layer,
                                      Projection which) const {
    (void)memory;
    return projection(layer, which);
  }
  virtual std::vector<float> norm(std::uint32_t layer, Norm which) const = 0;
  virtual std::vector<float> final_norm() const = 0;
  virtual Table embedding() const = 0;
  // The output matrix; the embedding where it is tied.
  virtual Table head() const = 0;
};

// Opens a checkpoint: a folder with config.json and model.safetensors (packed or bf16 master, in one
// file or in shards with an index), a GGUF file or a folder with one, or "synthetic:PRESET/SEED"
// with generated weights (verify/goldens/README.md). Throws FormatError if something is missing,
// malformed or implausible, UsageError for an unknown preset.
std::unique_ptr<Checkpoint> open_checkpoint(const std::string& model);

}  // namespace rotor
