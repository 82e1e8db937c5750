// Writing GGUF, version 3.
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "model/convert_plan.h"
#include "model/gguf.h"
#include "model/gguf_keys.h"
#include "model/json.h"
#include "model/mapped_file.h"
#include "model/tensor_names.h"
#include "model/tokenizer.h"

namespace rotor {
namespace {

constexpr std::uint64_t kAlignment = 32;

GgufType gguf_type(TableFormat format) {
  switch (format) {
    case TableFormat::F32:
      return GgufType::F32;
    case TableFormat::F16:
      return GgufType::F16;
    case TableFormat::Bf16:
      return GgufType::BF16;
    case TableFormat::Q8_0:
      return GgufType::Q8_0;
    case TableFormat::Q4_0:
      return GgufType::Q4_0;
    case TableFormat::Q6_K:
      return GgufType::Q6_K;
  }
  return GgufType::F32;
}

GgufType gguf_type(TernaryFormat format) {
  if (format == TernaryFormat::Tq1) return GgufType::TQ1_0;
  return format == TernaryFormat::Tq2 ? GgufType::TQ2_0 : GgufType::I2_S;
}

// What llama.cpp and bitnet.cpp number files by.
std::uint32_t file_type(TernaryFormat format) {
  if (format == TernaryFormat::Tq1) return 36;
  return format == TernaryFormat::Tq2 ? 37 : 40;
}

// The bytes of keys and of tensor descriptions.
class Header {
 public:
  template <typename T>
  void raw(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    raw(std::uint64_t{value.size()});
    bytes_.append(value);
  }

  void key(std::string_view name, GgufValueType type) {
    text(name);
    raw(type);
    ++keys_;
  }
  void add(std::string_view name, std::uint32_t value) {
    key(name, GgufValueType::U32);
    raw(value);
  }
  void add(std::string_view name, float value) {
    key(name, GgufValueType::F32);
    raw(value);
  }
  void add(std::string_view name, bool value) {
    key(name, GgufValueType::Bool);
    raw(static_cast<std::uint8_t>(value));
  }
  void add(std::string_view name, std::string_view value) {
    key(name, GgufValueType::String);
    text(value);
  }
  void add(std::string_view name, const std::vector<std::string>& values) {
    key(name, GgufValueType::Array);
    raw(GgufValueType::String);
    raw(std::uint64_t{values.size()});
    for (const std::string& value : values) text(value);
  }
  void add(std::string_view name, const std::vector<std::int32_t>& values) {
    key(name, GgufValueType::Array);
    raw(GgufValueType::I32);
    raw(std::uint64_t{values.size()});
    for (const std::int32_t value : values) raw(value);
  }

  std::uint64_t keys() const { return keys_; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::uint64_t keys_ = 0;
};

void add_config(const Config& config, const std::string& architecture, Header& header) {
  const std::string prefix = architecture + ".";
  header.add(prefix + "vocab_size", config.vocab);
  header.add(prefix + "context_length", config.max_positions);
  header.add(prefix + "embedding_length", config.hidden);
  header.add(prefix + "block_count", config.layers);
  header.add(prefix + "feed_forward_length", config.ffn);
  header.add(prefix + "rope.dimension_count", config.head_dim);
  header.add(prefix + "rope.freq_base", config.rope_theta);
  header.add(prefix + "attention.head_count", config.heads);
  header.add(prefix + "attention.head_count_kv", config.kv_heads);
  header.add(prefix + "attention.layer_norm_rms_epsilon", config.norm_epsilon);
  if (config.head_dim * config.heads != config.hidden) {
    header.add(prefix + "attention.key_length", config.head_dim);
    header.add(prefix + "attention.value_length", config.head_dim);
  }
  if (architecture == "bitnet") header.add("bitnet.hidden_activation", std::string_view("relu2"));
}

// The chat template of the source, if it has one that can be read.
std::string chat_template(const std::string& in) {
  const auto path = std::filesystem::path(in) / "tokenizer_config.json";
  if (!path_exists(path.string())) return "";
  const Json json = parse_json(read_text_file(path.string(), 1u << 24), path.string());
  const Json* value = json.find("chat_template");
  const auto* text = value == nullptr ? nullptr : value->get_if<std::string>();
  return text == nullptr ? "" : *text;
}

bool add_tokenizer(const Config& config, const std::string& in, Header& header) {
  const std::string prefix = "tokenizer.ggml.";
  const bool found = vocabulary_file(in).has_value();
  if (found) {
    const Vocabulary vocabulary = read_vocabulary(in);
    std::vector<std::int32_t> types;
    for (const TokenKind kind : vocabulary.kinds) {
      types.push_back(kind == TokenKind::Text      ? kGgufNormalToken
                      : kind == TokenKind::Special ? kGgufControlToken
                                                   : kGgufUnusedToken);
    }
    header.add(prefix + "model", std::string_view("gpt2"));
    header.add(prefix + "pre", std::string_view("llama-bpe"));
    header.add(prefix + "tokens", vocabulary.tokens);
    header.add(prefix + "token_type", types);
    header.add(prefix + "merges", vocabulary.merges);
    const std::string chat = chat_template(in);
    if (!chat.empty()) header.add("tokenizer.chat_template", std::string_view(chat));
  } else {
    // llama.cpp then makes up tokens, enough to measure speed; without the key it refuses the file.
    header.add(prefix + "model", kGgufNoVocabulary);
  }
  header.add(prefix + "bos_token_id", config.bos);
  header.add(prefix + "add_bos_token", true);
  // The format has one key for the end of a text and one for the end of a turn.
  const auto& stops = config.stop_tokens;
  if (!stops.empty()) header.add(prefix + "eos_token_id", stops[0]);
  if (stops.size() > 1) header.add(prefix + "eot_token_id", stops[1]);
  return found;
}

std::vector<PlannedTensor> plan_tensors(const Checkpoint& from, const ConvertOptions& options,
                                        WrittenScales& scales) {
  const Config& config = from.config();
  const TableFormat table = options.table.value_or(TableFormat::F16);
  std::vector<PlannedTensor> plan;
  plan.push_back(plan_table(kGgufEmbedding, from.embedding(), table));
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    for (const Norm which : kNorms) {
      plan.push_back(
          plan_vector(gguf_name(layer, which), from.norm(layer, which), TableFormat::F32));
    }
    for (const Projection which : kProjections) {
      plan.push_back(
          plan_projection(gguf_name(layer, which), from, layer, which, options.ternary, scales));
    }
  }
  plan.push_back(plan_vector(kGgufFinalNorm, from.final_norm(), TableFormat::F32));
  if (!config.tied_head) plan.push_back(plan_table(kGgufHead, from.head(), table));
  return plan;
}

void add_tensors(const std::vector<PlannedTensor>& plan, TernaryFormat ternary, Header& header) {
  std::uint64_t offset = 0;
  for (const PlannedTensor& tensor : plan) {
    header.text(tensor.name);
    header.raw(static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) header.raw(*size);
    header.raw(tensor.format ? gguf_type(*tensor.format) : gguf_type(ternary));
    header.raw(offset);
    offset += (tensor.bytes + kAlignment - 1) / kAlignment * kAlignment;
  }
}

}  // namespace

void write_gguf(const Checkpoint& from, const std::string& in, const std::string& out,
                const ConvertOptions& options, ConvertResult& result) {
  const std::string architecture = !options.architecture.empty()           ? options.architecture
                                   : options.ternary == TernaryFormat::I2S ? "bitnet-b1.58"
                                                                           : "bitnet";
  if (!is_gguf_architecture(architecture)) {
    throw UsageError("architecture " + quote(architecture) +
                     ": expected bitnet-b1.58, bitnet-25 or bitnet");
  }
  WrittenScales scales;
  const auto plan = plan_tensors(from, options, scales);
  Header header;
  header.add("general.architecture", std::string_view(architecture));
  header.add("general.file_type", file_type(options.ternary));
  header.add("general.quantization_version", std::uint32_t{2});
  add_config(from.config(), architecture, header);
  result.tokenizer = add_tokenizer(from.config(), in, header);
  const std::uint64_t keys = header.keys();
  add_tensors(plan, options.ternary, header);

  OutputFile file(out);
  Header start;
  start.raw(std::uint32_t{3});
  start.raw(std::uint64_t{plan.size()});
  start.raw(keys);
  file.write("GGUF");
  file.write(start.bytes());
  file.write(header.bytes());
  file.pad(kAlignment);
  result.file = out;
  result.complete = write_tensors(plan, file, kAlignment, options.progress);
  if (!result.complete) return;
  file.finish();
  result.bytes = file.size();
  result.worst_scale_error = scales.worst_error;
}

}  // namespace rotor
