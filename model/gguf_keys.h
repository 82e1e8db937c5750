// What a GGUF file says about the model and its tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/gguf.h"
#include "model/weights.h"

namespace rotor {

// True for the architectures that can be read.
bool is_gguf_architecture(std::string_view name);

// Architectures with the graph of BitNet b1.58: "bitnet-b1.58", "bitnet-25", and "bitnet" with
// ReLU². Checks everything that would change the forward pass. `path` begins every message. Throws
// FormatError. `tied_head` is left to the caller: it depends on the tensors.
Config read_gguf_config(const GgufFile& file, const std::string& path);

// The tokenizer that travels in a GGUF file, as stored: token texts and merges are in the
// byte-level alphabet of tokenizer.json ("Ġthe"), control tokens are literal.
struct GgufTokenizer {
  std::string model;                // "gpt2" for byte-level BPE
  std::string pre;                  // pre-tokeniser; empty if the file has none (2B4T: Llama-3's)
  std::vector<std::string> tokens;  // by id
  std::vector<std::int32_t> types;  // by id: 1 normal, 3 control, ...; empty if absent
  std::vector<std::string> merges;  // "left right", best first
  std::optional<std::uint32_t> bos;
  std::optional<std::uint32_t> eos;
};
inline constexpr std::int32_t kGgufNormalToken = 1;
inline constexpr std::int32_t kGgufControlToken = 3;
inline constexpr std::int32_t kGgufUnusedToken = 5;
// The model of a file that says that it has no tokenizer.
inline constexpr std::string_view kGgufNoVocabulary = "no_vocab";

// True if there is a tokenizer, of whatever kind.
bool has_gguf_tokenizer(const GgufFile& file);

// Throws FormatError if there is no tokenizer or its parts do not belong together.
GgufTokenizer read_gguf_tokenizer(const GgufFile& file, const std::string& path);
// The same from a file on disk.
GgufTokenizer read_gguf_tokenizer(const std::string& path);

}  // namespace rotor
