#include "model/config.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "model/json.h"

namespace rotor {
namespace {

constexpr std::uint32_t kLlama3Vocab = 128256;
constexpr std::uint32_t kLlama3EndOfTurn = 128009;

// Bounds that no model of this family comes near; below them no size computation overflows 64 bits.
constexpr std::uint32_t kMaxSize = 1u << 24;
constexpr std::uint32_t kMaxLayers = 4096;

// Reads members of one JSON object. Absent and null are the same.
class Reader {
 public:
  Reader(const Json& json, std::string name) : json_(json), name_(std::move(name)) {
    if (json.get_if<Json::Object>() == nullptr) throw FormatError(name_ + ": not a JSON object");
  }

  const Json* find(const char* key) const {
    const Json* value = json_.find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  std::uint32_t size(const char* key) const {
    const Json* value = find(key);
    if (value == nullptr) fail(key, "is missing");
    return integer(*value, key);
  }
  std::uint32_t size(const char* key, std::uint32_t fallback) const {
    const Json* value = find(key);
    return value == nullptr ? fallback : integer(*value, key);
  }

  float number(const char* key, float fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (const auto* whole = value->get_if<std::uint64_t>()) return static_cast<float>(*whole);
    const auto* real = value->get_if<double>();
    if (real == nullptr) fail(key, "is not a number");
    return static_cast<float>(*real);
  }

  bool flag(const char* key, bool fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    const auto* result = value->get_if<bool>();
    if (result == nullptr) fail(key, "is not true or false");
    return *result;
  }

  std::string text(const char* key, const char* fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    const auto* result = value->get_if<std::string>();
    if (result == nullptr) fail(key, "is not a string");
    return *result;
  }

  // One of the words in `allowed`.
  std::string word(const char* key, const char* fallback,
                   std::initializer_list<const char*> allowed) const {
    const std::string value = text(key, fallback);
    std::string list;
    for (const char* item : allowed) {
      if (value == item) return value;
      list += (list.empty() ? "" : " or ") + std::string(item);
    }
    fail(key, "is " + quote(value) + ", supported: " + list);
  }

  // A token id or a list of them, appended to `out`.
  void tokens(const char* key, std::vector<std::uint32_t>& out) const {
    const Json* value = find(key);
    if (value == nullptr) return;
    if (const auto* list = value->get_if<Json::Array>()) {
      for (const Json& item : *list) out.push_back(integer(item, key));
    } else {
      out.push_back(integer(*value, key));
    }
  }

  [[noreturn]] void fail(const char* key, const std::string& problem) const {
    throw FormatError(name_ + ": \"" + key + "\" " + problem);
  }

 private:
  std::uint32_t integer(const Json& value, const char* key) const {
    const auto* number = value.get_if<std::uint64_t>();
    if (number == nullptr || *number > std::numeric_limits<std::uint32_t>::max()) {
      fail(key, "is not an unsigned 32-bit integer");
    }
    return static_cast<std::uint32_t>(*number);
  }

  const Json& json_;
  std::string name_;
};

Quantisation read_quantisation(const Reader& config, const std::string& name) {
  const Json* json = config.find("quantization_config");
  if (json == nullptr) {
    config.fail("quantization_config", "is missing: this is not a BitNet b1.58 checkpoint");
  }
  const Reader reader(*json, name + ": quantization_config");
  reader.word("quant_method", "bitnet", {"bitnet"});
  if (reader.flag("use_rms_norm", false)) {
    reader.fail("use_rms_norm", "is true: a norm inside each linear layer is not supported");
  }
  Quantisation result;
  result.reciprocal =
      reader.word("linear_class", "bitlinear", {"bitlinear", "autobitlinear"}) == "bitlinear";
  const bool online =
      reader.word("quantization_mode", "offline", {"offline", "online"}) == "online";
  result.packed = !online || result.reciprocal;  // the older class knows no online mode
  return result;
}

// Newer files keep theta inside "rope_parameters". Any scaling would change every angle.
float read_rope_theta(const Reader& config, const std::string& name) {
  constexpr float kDefault = 500000;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json* json = config.find(key);
    if (json == nullptr) continue;
    const Reader rope(*json, name + ": " + key);
    rope.word("rope_type", "default", {"default"});
    rope.word("type", "default", {"default"});
    if (rope.find("rope_theta") != nullptr) return rope.number("rope_theta", kDefault);
  }
  return config.number("rope_theta", kDefault);
}

void read_sizes(const Reader& reader, Config& config) {
  config.vocab = reader.size("vocab_size");
  config.hidden = reader.size("hidden_size");
  config.ffn = reader.size("intermediate_size");
  config.layers = reader.size("num_hidden_layers");
  config.heads = reader.size("num_attention_heads");
  config.kv_heads = reader.size("num_key_value_heads", config.heads);
  if (config.heads == 0) reader.fail("num_attention_heads", "is 0");
  config.head_dim = reader.size("head_dim", config.hidden / config.heads);
  if (reader.find("head_dim") == nullptr && config.hidden % config.heads != 0) {
    reader.fail("hidden_size", std::to_string(config.hidden) + " is not a multiple of " +
                                   std::to_string(config.heads) + " heads");
  }
  config.max_positions = reader.size("max_position_embeddings", 2048);
}

void check_range(std::uint32_t value, std::uint32_t max, const char* what,
                 const std::string& name) {
  if (value == 0 || value > max) {
    throw FormatError(name + ": " + what + " " + std::to_string(value) + ", expected 1 to " +
                      std::to_string(max));
  }
}

void check_token(std::uint32_t token, const Config& config, const char* what,
                 const std::string& name) {
  if (token < config.vocab) return;
  throw FormatError(name + ": " + what + " " + std::to_string(token) + " is outside the " +
                    std::to_string(config.vocab) + " tokens of the vocabulary");
}

}  // namespace

HfConfig parse_config(std::string_view config_json, std::string_view generation_json,
                      const std::string& name) {
  const Json json = parse_json(config_json, name);
  const Reader reader(json, name);
  reader.word("model_type", "bitnet", {"bitnet"});
  reader.word("hidden_act", "relu2", {"relu2"});
  if (reader.flag("attention_bias", false)) reader.fail("attention_bias", "is true: not supported");

  HfConfig result;
  Config& config = result.config;
  read_sizes(reader, config);
  config.rope_theta = read_rope_theta(reader, name);
  config.norm_epsilon = reader.number("rms_norm_eps", 1e-5f);
  config.tied_head = reader.flag("tie_word_embeddings", false);
  config.bos = reader.size("bos_token_id", config.vocab == kLlama3Vocab ? 128000 : 0);
  reader.tokens("eos_token_id", config.stop_tokens);
  if (!generation_json.empty()) {
    const std::string generation_name = name + " (generation_config.json)";
    const Json generation = parse_json(generation_json, generation_name);
    Reader(generation, generation_name).tokens("eos_token_id", config.stop_tokens);
  }
  result.quantisation = read_quantisation(reader, name);
  complete_stop_tokens(config);
  check_config(config, name);
  return result;
}

void complete_stop_tokens(Config& config) {
  auto& stops = config.stop_tokens;
  if (config.vocab == kLlama3Vocab) stops.push_back(kLlama3EndOfTurn);
  std::sort(stops.begin(), stops.end());
  stops.erase(std::unique(stops.begin(), stops.end()), stops.end());
}

void check_config(const Config& config, const std::string& name) {
  check_range(config.vocab, kMaxSize, "vocabulary size", name);
  check_range(config.hidden, kMaxSize, "hidden size", name);
  check_range(config.ffn, kMaxSize, "feed-forward size", name);
  check_range(config.layers, kMaxLayers, "layer count", name);
  check_range(config.heads, kMaxSize, "head count", name);
  check_range(config.kv_heads, config.heads, "key/value head count", name);
  check_range(config.head_dim, kMaxSize / config.heads, "head size", name);
  check_range(config.max_positions, kMaxSize, "position limit", name);
  if (config.heads % config.kv_heads != 0) {
    throw FormatError(name + ": " + std::to_string(config.heads) + " heads are not a multiple of " +
                      std::to_string(config.kv_heads) + " key/value heads");
  }
  if (config.head_dim % 2 != 0) {
    throw FormatError(name + ": head size " + std::to_string(config.head_dim) +
                      " is odd; rotary positions need pairs");
  }
  if (!std::isfinite(config.rope_theta) || config.rope_theta <= 0) {
    throw FormatError(name + ": rope theta is not finite and positive");
  }
  if (!std::isfinite(config.norm_epsilon) || config.norm_epsilon <= 0) {
    throw FormatError(name + ": norm epsilon is not finite and positive");
  }
  for (const std::uint32_t token : config.stop_tokens)
    check_token(token, config, "end token", name);
  check_token(config.bos, config, "begin token", name);
}

}  // namespace rotor
