// Finds and reads the file that holds a tokenizer.
#include <cstring>
#include <filesystem>
#include <string_view>

#include "core/error.h"
#include "model/checkpoints.h"
#include "model/mapped_file.h"
#include "model/tokenizer.h"
#include "model/tokenizer_gguf.h"

namespace rotor {
namespace {

bool is_gguf(std::string_view text) {
  return text.starts_with("GGUF");
}

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// GGUF files need not hold a tokenizer; generated weights have none.
std::optional<std::string> unless_gguf_without(std::string path) {
  const MappedFile file(path);
  if (is_gguf(text_of(file)) && !has_gguf_tokenizer(parse_gguf(file.bytes(), path))) {
    return std::nullopt;
  }
  return path;
}

}  // namespace

std::optional<std::string> vocabulary_file(const std::string& folder_or_file) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!path_exists(folder_or_file)) return std::nullopt;
  if (!fs::is_directory(folder_or_file, error)) return unless_gguf_without(folder_or_file);
  const fs::path json = fs::path(folder_or_file) / "tokenizer.json";
  if (path_exists(json.string())) return json.string();
  for (fs::directory_iterator entry(folder_or_file, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() != ".gguf") continue;
    const auto file = gguf_file(folder_or_file);
    return file ? unless_gguf_without(*file) : std::nullopt;
  }
  if (error) {
    throw FormatError(folder_or_file + ": cannot read the folder: " + error.message());
  }
  return std::nullopt;
}

Vocabulary read_vocabulary(const std::string& folder_or_file) {
  const auto path = vocabulary_file(folder_or_file);
  if (!path) {
    throw FormatError(folder_or_file +
                      ": no tokenizer here; name a tokenizer.json, a .gguf file, or their folder");
  }
  const MappedFile file(*path);
  if (is_gguf(text_of(file))) {
    return gguf_vocabulary(read_gguf_tokenizer(parse_gguf(file.bytes(), *path), *path), *path);
  }
  return parse_vocabulary(text_of(file), *path);
}

}  // namespace rotor
