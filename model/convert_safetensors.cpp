// Writing a Hugging Face folder: config.json and packed safetensors.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/half.h"
#include "model/convert_plan.h"
#include "model/mapped_file.h"
#include "model/tensor_names.h"
#include "model/tokenizer.h"
#include "model/tokenizer_split.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;
using Members = nlohmann::ordered_json;

const char* dtype_name(const std::optional<TableFormat>& format) {
  if (!format) return "U8";
  if (*format == TableFormat::F32) return "F32";
  return *format == TableFormat::F16 ? "F16" : "BF16";
}

// bf16 where it loses nothing (files of the publisher), else f32 (files that were GGUF).
PlannedTensor plan_gains(std::string name, std::vector<float> values) {
  const bool exact = std::all_of(values.begin(), values.end(),
                                 [](float v) { return bf16_to_f32(f32_to_bf16(v)) == v; });
  return plan_vector(std::move(name), std::move(values),
                     exact ? TableFormat::Bf16 : TableFormat::F32);
}

// The scale of the matrix that was written just before. f32: bf16 would round what GGUF files hold.
PlannedTensor plan_scale(std::string name, const WrittenScales& scales) {
  PlannedTensor tensor = plan_vector(std::move(name), {0}, TableFormat::F32);
  tensor.write = [&scales](OutputFile& file) {
    file.write(std::as_bytes(std::span(&scales.last, 1)));
  };
  return tensor;
}

TableFormat table_format(const Table& table, const std::optional<TableFormat>& wanted) {
  if (wanted) return *wanted;
  if (table.packing == Packing::F32) return TableFormat::F32;
  return table.packing == Packing::F16 ? TableFormat::F16 : TableFormat::Bf16;
}

// Wide types first, so that every tensor is aligned to its elements; a scale behind its matrix is,
// too, unless k is odd.
std::vector<PlannedTensor> plan_tensors(const Checkpoint& from, const ConvertOptions& options,
                                        WrittenScales& scales) {
  const Config& config = from.config();
  std::vector<PlannedTensor> plan;
  const auto add_table = [&](const char* name, const Table& table) {
    plan.push_back(plan_table(name, table, table_format(table, options.table)));
  };
  add_table(kHfEmbedding, from.embedding());
  if (!config.tied_head) add_table(kHfHead, from.head());
  plan.push_back(plan_gains(kHfFinalNorm, from.final_norm()));
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    for (const Norm which : kNorms) {
      plan.push_back(plan_gains(hf_name(layer, which), from.norm(layer, which)));
    }
  }
  std::stable_sort(plan.begin(), plan.end(), [](const PlannedTensor& a, const PlannedTensor& b) {
    return (a.format == TableFormat::F32) > (b.format == TableFormat::F32);
  });
  for (std::uint32_t layer = 0; layer < config.layers; ++layer) {
    for (const Projection which : kProjections) {
      const std::string name = hf_name(layer, which);
      plan.push_back(plan_projection(name, from, layer, which, TernaryFormat::Strided, scales));
      plan.push_back(plan_scale(name + "_scale", scales));
    }
  }
  return plan;
}

std::string container_header(const std::vector<PlannedTensor>& plan) {
  Members header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t offset = 0;
  for (const PlannedTensor& tensor : plan) {
    header[tensor.name] = {{"dtype", dtype_name(tensor.format)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes}}};
    offset += tensor.bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

// The decimal number that people wrote: 1e-05, not 9.999999747378752e-06.
double shortest(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double result = 0;
  std::from_chars(text, end, result);
  return result;
}

std::string config_text(const Config& config) {
  const Members json = {
      {"architectures", {"BitNetForCausalLM"}},
      {"model_type", "bitnet"},
      {"vocab_size", config.vocab},
      {"hidden_size", config.hidden},
      {"intermediate_size", config.ffn},
      {"num_hidden_layers", config.layers},
      {"num_attention_heads", config.heads},
      {"num_key_value_heads", config.kv_heads},
      {"head_dim", config.head_dim},
      {"hidden_act", "relu2"},
      {"max_position_embeddings", config.max_positions},
      {"rms_norm_eps", shortest(config.norm_epsilon)},
      {"rope_theta", shortest(config.rope_theta)},
      {"tie_word_embeddings", config.tied_head},
      {"bos_token_id", config.bos},
      {"eos_token_id", config.stop_tokens},
      {"torch_dtype", "bfloat16"},
      {"quantization_config",
       {{"quant_method", "bitnet"},
        {"linear_class", "autobitlinear"},
        {"quantization_mode", "offline"}}},
  };
  return json.dump(2) + "\n";
}

std::string tokenizer_text(const Vocabulary& vocabulary) {
  // Members are appended without looking for a twin: that would be quadratic in 128,256 tokens.
  Members::object_t tokens;
  Members added = Members::array();
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    std::string text = vocabulary.tokens[id];
    if (vocabulary.kinds[id] == TokenKind::Text) {
      tokens.emplace_back(std::move(text), id);
      continue;
    }
    // Padding may have no text, or the text of another token.
    if (vocabulary.kinds[id] == TokenKind::Unused) text = "<|unused_" + std::to_string(id) + "|>";
    added.push_back({{"id", id},
                     {"content", text},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const Members split = {{"type", "Split"},
                         {"pattern", {{"Regex", kSplitPattern}}},
                         {"behavior", "Isolated"},
                         {"invert", false}};
  const Members bytes = {{"type", "ByteLevel"},
                         {"add_prefix_space", false},
                         {"trim_offsets", true},
                         {"use_regex", false}};
  const Members json = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", nullptr},
      {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", Members::array({split, bytes})}}},
      {"post_processor", nullptr},
      {"decoder",
       {{"type", "ByteLevel"},
        {"add_prefix_space", true},
        {"trim_offsets", true},
        {"use_regex", true}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", nullptr},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"ignore_merges", vocabulary.ignore_merges},
        {"vocab", tokens},
        {"merges", vocabulary.merges}}},
  };
  return json.dump(-1, ' ', false, Members::error_handler_t::replace);
}

void copy_over(const fs::path& from, const fs::path& to) {
  std::error_code error;
  if (fs::equivalent(from, to, error)) return;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) throw OutputError(to.string() + ": cannot write: " + error.message());
}

// True if there is a tokenizer.
bool write_tokenizer(const std::string& in, const fs::path& out) {
  const auto source = vocabulary_file(in);
  if (!source) return false;
  if (source->ends_with(".gguf")) {
    write_text_file((out / "tokenizer.json").string(), tokenizer_text(read_vocabulary(in)));
    return true;
  }
  copy_over(*source, out / "tokenizer.json");
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "generation_config.json"}) {
    const fs::path settings = fs::path(*source).parent_path() / name;
    if (path_exists(settings.string())) copy_over(settings, out / name);
  }
  return true;
}

}  // namespace

void write_safetensors(const Checkpoint& from, const std::string& in, const std::string& out,
                       const ConvertOptions& options, ConvertResult& result) {
  if (options.table && !is_float(*options.table)) {
    throw UsageError("safetensors has no embedding format " +
                     std::string(table_format_name(*options.table)) + "; choose f32, f16 or bf16");
  }
  std::error_code error;
  fs::create_directories(out, error);
  if (error) throw OutputError(out + ": cannot create the folder: " + error.message());

  WrittenScales scales;
  const auto plan = plan_tensors(from, options, scales);
  const std::string header = container_header(plan);
  result.file = (fs::path(out) / "model.safetensors").string();
  OutputFile file(result.file);
  const std::uint64_t length = header.size();
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  result.complete = write_tensors(plan, file, 1, options.progress);
  if (!result.complete) return;
  write_text_file((fs::path(out) / "config.json").string(), config_text(from.config()));
  result.tokenizer = write_tokenizer(in, out);
  file.finish();
  result.bytes = file.size();
}

}  // namespace rotor
