#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <ostream>

#include "core/error.h"
#include "model/commands.h"

namespace rotor {
namespace {

constexpr std::array kTernaryFormats = {TernaryFormat::Strided, TernaryFormat::I2S,
                                        TernaryFormat::Tq2, TernaryFormat::Tq1};
constexpr std::array kTableFormats = {TableFormat::F32,  TableFormat::F16,  TableFormat::Bf16,
                                      TableFormat::Q8_0, TableFormat::Q6_K, TableFormat::Q4_0};

// The format of this name, with a list of all names if there is none.
template <typename Formats, typename Name>
auto parse(const std::string& flag, const std::string& text, const Formats& formats, Name name) {
  std::string known;
  for (const auto format : formats) {
    if (text == name(format)) return format;
    known.append(known.empty() ? "" : ", ").append(name(format));
  }
  throw UsageError(flag + " " + text + ": known formats are " + known);
}

bool is_gguf_name(const std::string& path) {
  return path.ends_with(".gguf");
}

// "model-TQ2_0.gguf" says what it wants to be.
TernaryFormat format_of_name(const std::string& path) {
  if (!is_gguf_name(path)) return TernaryFormat::Strided;
  std::string name = path.substr(path.find_last_of('/') + 1);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const TernaryFormat format : {TernaryFormat::Tq1, TernaryFormat::Tq2}) {
    if (name.find(ternary_format_name(format)) != std::string::npos) return format;
  }
  return TernaryFormat::I2S;
}

ConvertOptions read_options(const ConvertCommand& command) {
  ConvertOptions options;
  options.ternary = command.to.empty()
                        ? format_of_name(command.out)
                        : parse("--to", command.to, kTernaryFormats, ternary_format_name);
  if (options.ternary == TernaryFormat::Strided && is_gguf_name(command.out)) {
    throw UsageError(command.out + ": --to packed makes a folder; choose a name without .gguf");
  }
  if (!command.embedding.empty()) {
    options.table = parse("--embedding", command.embedding, kTableFormats, table_format_name);
  }
  options.architecture = command.architecture;
  options.progress = [&command](double share) {
    if (command.progress) command.progress(share);
    return !interrupted();
  };
  return options;
}

}  // namespace

int run_convert(const ConvertCommand& command, std::ostream& talk) {
  const ConvertResult result = convert(command.in, command.out, read_options(command));
  if (!result.complete) {
    if (command.progress) command.progress(1);  // clears its line
    talk << "interrupted; " << result.file << " was not written\n";
    return kExitInterrupted;
  }
  char line[160];
  std::snprintf(line, sizeof line, ": %.1f MB, %s\n", static_cast<double>(result.bytes) / 1e6,
                result.tokenizer ? "with the tokenizer" : "no tokenizer in the source");
  talk << result.file << line;
  if (result.worst_scale_error > 0) {
    std::snprintf(line, sizeof line, "scales are f16 in this format: rounded by up to %.2g\n",
                  result.worst_scale_error);
    talk << line;
  }
  return kExitOk;
}

}  // namespace rotor
