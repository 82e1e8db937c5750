// The kinds of checkpoint behind open_checkpoint().
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "model/weights.h"

namespace rotor {

// A scale that cannot be right, apart from other faults of a file so that `inspect` can tell them
// apart.
class ScaleError : public FormatError {
 public:
  using FormatError::FormatError;
};

// A folder with config.json and safetensors files: packed (offline) or bf16 master (online).
std::unique_ptr<Checkpoint> open_safetensors(const std::string& folder);

// The GGUF file that `model` is or holds; nothing for a folder with a config.json. Throws
// FormatError if there is no such file or folder, or no single GGUF file in it.
std::optional<std::string> gguf_file(const std::string& model);

// A GGUF file of a BitNet b1.58 model: from Microsoft, bitnet.cpp or llama.cpp.
std::unique_ptr<Checkpoint> open_gguf(const std::string& path);

// "PRESET/SEED": generated weights. Throws UsageError for an unknown preset or a malformed seed.
std::unique_ptr<Checkpoint> open_synthetic(std::string_view preset_and_seed);

// The scale of every generated projection with k inputs.
float synthetic_scale(std::uint32_t k);

// The scale of layer 0's query projection in the published 2B4T, and whether a scale is that one up
// to the rounding of the formats (bf16, f16).
inline constexpr float kScaleOf2b4t = 1.21875f;
bool near_scale(float scale, float expected);

// True for the published model's sizes (bitnet-b1.58-2B-4T).
bool is_2b4t(const Config& config);

// Refuses scales that cannot be right for 2B4T; `where` names file and tensor. Throws ScaleError.
void check_scale(const Config& config, std::uint32_t layer, Projection which, float scale,
                 const std::string& where);

}  // namespace rotor
