#include "model/gguf_keys.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "model/checkpoints.h"
#include "model/config.h"
#include "model/json.h"
#include "model/mapped_file.h"
#include "model/safetensors.h"

namespace rotor {
namespace {

// Typed access to the keys of one file.
class Keys {
 public:
  Keys(const GgufFile& file, const std::string& path) : file_(file), path_(path) {}

  std::optional<std::uint32_t> maybe_size(const std::string& key) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) return std::nullopt;
    const auto* number = std::get_if<std::uint64_t>(value);
    const auto* wide = std::get_if<std::int64_t>(value);  // some writers use signed types
    const std::uint64_t result =
        number != nullptr ? *number
                          : (wide != nullptr && *wide >= 0 ? static_cast<std::uint64_t>(*wide)
                                                           : std::uint64_t{1} << 32);
    if (result > std::numeric_limits<std::uint32_t>::max()) {
      fail(key, "is not an unsigned 32-bit integer");
    }
    return static_cast<std::uint32_t>(result);
  }
  std::uint32_t size(const std::string& key) const { return require(key, maybe_size(key)); }

  std::optional<float> maybe_number(const std::string& key) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) return std::nullopt;
    const auto* number = std::get_if<double>(value);
    if (number == nullptr) fail(key, "is not a floating-point number");
    return static_cast<float>(*number);
  }
  float number(const std::string& key) const { return require(key, maybe_number(key)); }

  std::string text(const std::string& key, const std::string& fallback) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) return fallback;
    const auto* result = std::get_if<std::string_view>(value);
    if (result == nullptr) fail(key, "is not a string");
    return std::string(*result);
  }

  std::vector<std::string> texts(const std::string& key) const {
    const GgufValue* value = file_.find(key);
    const auto* array = value == nullptr ? nullptr : std::get_if<GgufArray>(value);
    if (array == nullptr || array->type != GgufValueType::String) {
      fail(key, "is missing or not an array of strings");
    }
    return {array->strings.begin(), array->strings.end()};
  }

  std::vector<std::int32_t> integers(const std::string& key) const {
    const GgufValue* value = file_.find(key);
    if (value == nullptr) return {};
    const auto* array = std::get_if<GgufArray>(value);
    if (array == nullptr ||
        (array->type != GgufValueType::I32 && array->type != GgufValueType::U32)) {
      fail(key, "is not an array of 32-bit integers");
    }
    std::vector<std::int32_t> result(static_cast<std::size_t>(array->count));
    if (!result.empty()) std::memcpy(result.data(), array->numbers.data(), array->numbers.size());
    return result;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    throw FormatError(path_ + ": key " + quote(key) + " " + problem);
  }

 private:
  template <typename T>
  T require(const std::string& key, std::optional<T> value) const {
    if (!value) fail(key, "is missing");
    return *value;
  }

  const GgufFile& file_;
  const std::string& path_;
};

std::uint32_t vocabulary_size(const GgufFile& file, const Keys& keys, const std::string& prefix) {
  if (const auto size = keys.maybe_size(prefix + "vocab_size")) return *size;
  // Community files may lack the key; the embedding has a row for each token.
  const auto it = std::find_if(file.tensors.begin(), file.tensors.end(),
                               [](const GgufTensor& t) { return t.name == "token_embd.weight"; });
  if (it == file.tensors.end() || it->shape.front() > std::numeric_limits<std::uint32_t>::max()) {
    keys.fail(prefix + "vocab_size", "is missing, and so is token_embd.weight");
  }
  return static_cast<std::uint32_t>(it->shape.front());
}

void check_rope(const Keys& keys, const std::string& prefix, const Config& config) {
  const auto rotated = keys.maybe_size(prefix + "rope.dimension_count");
  if (rotated && *rotated != config.head_dim) {
    keys.fail(prefix + "rope.dimension_count", std::to_string(*rotated) + " is not the head size " +
                                                   std::to_string(config.head_dim));
  }
  const std::string scaling = keys.text(prefix + "rope.scaling.type", "none");
  const float factor = keys.maybe_number(prefix + "rope.scaling.factor").value_or(1);
  if (scaling != "none" && !(scaling == "linear" && factor == 1)) {
    keys.fail(prefix + "rope.scaling.type", "is " + quote(scaling) + ": not supported");
  }
}

// Upstream's "bitnet" was made for older models with SiLU and says "relu2" in an optional key;
// files of 2B4T without that key exist, and are meant to run with ReLU² all the same.
void check_activation(const Keys& keys, const std::string& architecture, const Config& config) {
  if (architecture != "bitnet" || is_2b4t(config)) return;
  const std::string key = "bitnet.hidden_activation";
  const std::string activation = keys.text(key, "silu");
  if (activation != "relu2") {
    keys.fail(key, "is " + quote(activation) + " or absent: only relu2 is supported");
  }
}

}  // namespace

bool is_gguf_architecture(std::string_view name) {
  return name == "bitnet-b1.58" || name == "bitnet-25" || name == "bitnet";
}

Config read_gguf_config(const GgufFile& file, const std::string& path) {
  const Keys keys(file, path);
  const std::string architecture = keys.text("general.architecture", "");
  if (!is_gguf_architecture(architecture)) {
    throw FormatError(path + ": architecture " + quote(architecture) +
                      ", supported: bitnet-b1.58, bitnet-25 and bitnet");
  }
  const std::string prefix = architecture + ".";
  Config config;
  config.vocab = vocabulary_size(file, keys, prefix);
  config.hidden = keys.size(prefix + "embedding_length");
  config.ffn = keys.size(prefix + "feed_forward_length");
  config.layers = keys.size(prefix + "block_count");
  config.heads = keys.size(prefix + "attention.head_count");
  config.kv_heads = keys.maybe_size(prefix + "attention.head_count_kv").value_or(config.heads);
  const auto head_dim = keys.maybe_size(prefix + "attention.key_length");
  if (!head_dim && (config.heads == 0 || config.hidden % config.heads != 0)) {
    keys.fail(prefix + "attention.head_count", "does not divide the embedding length");
  }
  config.head_dim = head_dim ? *head_dim : config.hidden / config.heads;
  const auto value_length = keys.maybe_size(prefix + "attention.value_length");
  if (value_length.value_or(config.head_dim) != config.head_dim) {
    keys.fail(prefix + "attention.value_length", "differs from the length of keys");
  }
  config.max_positions = keys.size(prefix + "context_length");
  config.norm_epsilon = keys.number(prefix + "attention.layer_norm_rms_epsilon");
  config.rope_theta = keys.number(prefix + "rope.freq_base");
  config.bos = keys.maybe_size("tokenizer.ggml.bos_token_id").value_or(0);
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    if (const auto token = keys.maybe_size(key)) config.stop_tokens.push_back(*token);
  }
  complete_stop_tokens(config);
  check_config(config, path);
  check_rope(keys, prefix, config);
  check_activation(keys, architecture, config);
  return config;
}

bool has_gguf_tokenizer(const GgufFile& file) {
  const GgufValue* model = file.find("tokenizer.ggml.model");
  if (model == nullptr) return false;
  const auto* name = std::get_if<std::string_view>(model);
  return name == nullptr || (*name != kGgufNoVocabulary && *name != "none");
}

GgufTokenizer read_gguf_tokenizer(const GgufFile& file, const std::string& path) {
  const Keys keys(file, path);
  const std::string prefix = "tokenizer.ggml.";
  GgufTokenizer result;
  result.model = keys.text(prefix + "model", "");
  if (result.model != "gpt2") {
    keys.fail(prefix + "model",
              "is " + quote(result.model) + ", supported: \"gpt2\" (byte-level BPE)");
  }
  result.pre = keys.text(prefix + "pre", "");
  result.tokens = keys.texts(prefix + "tokens");
  result.merges = keys.texts(prefix + "merges");
  result.types = keys.integers(prefix + "token_type");
  if (!result.types.empty() && result.types.size() != result.tokens.size()) {
    keys.fail(prefix + "token_type", "has " + std::to_string(result.types.size()) +
                                         " entries for " + std::to_string(result.tokens.size()) +
                                         " tokens");
  }
  result.bos = keys.maybe_size(prefix + "bos_token_id");
  result.eos = keys.maybe_size(prefix + "eos_token_id");
  return result;
}

GgufTokenizer read_gguf_tokenizer(const std::string& path) {
  const MappedFile file(path);
  return read_gguf_tokenizer(parse_gguf(file.bytes(), path), path);
}

}  // namespace rotor
