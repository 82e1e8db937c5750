// The reader of tokenizer.json (specification of the format: section 4.1 of the model notes is
// ours, the format itself is that of the Hugging Face tokenizers library).
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "model/tokenizer.h"
#include "model/tokenizer_split.h"

namespace rotor {
namespace {

using Json = nlohmann::json;

// No vocabulary in use comes near; it keeps a lying id from sizing an allocation.
constexpr std::size_t kMaxTokens = std::size_t{1} << 24;

class Reader {
 public:
  Reader(const Json& file, const std::string& name) : file_(file), name_(name) {}

  Vocabulary read() {
    check_settings();
    check_splitting();
    read_tokens();
    read_added_tokens();
    for (std::size_t id = 0; id < vocabulary_.tokens.size(); ++id) {
      if (vocabulary_.tokens[id].empty()) fail("no token has id " + std::to_string(id));
    }
    read_merges();
    return std::move(vocabulary_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw FormatError(name_ + ": " + what); }

  // The value at a JSON pointer; null if there is none.
  const Json& at(const char* pointer) const {
    static const Json null;
    const Json::json_pointer path(pointer);
    return file_.contains(path) ? file_.at(path) : null;
  }

  // Refuses a file whose value at `pointer` is none of those that this reader implements.
  void expect(const char* pointer, std::initializer_list<Json> allowed) const {
    const Json& value = at(pointer);
    for (const Json& one : allowed) {
      if (value == one) return;
    }
    std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (text.size() > 80) text = text.substr(0, 77) + "...";
    fail(std::string(pointer + 1) + " is " + text + ", not " + allowed.begin()->dump() +
         ": only byte-level BPE that splits as Llama 3 does can be read");
  }

  void check_settings() {
    if (!file_.is_object()) fail("not a JSON object");
    expect("/model/type", {"BPE"});
    expect("/model/dropout", {nullptr, 0.0});
    expect("/model/unk_token", {nullptr});
    expect("/model/continuing_subword_prefix", {nullptr, ""});
    expect("/model/end_of_word_suffix", {nullptr, ""});
    expect("/model/byte_fallback", {false, nullptr});
    expect("/model/ignore_merges", {true, false, nullptr});
    expect("/normalizer", {nullptr});
    expect("/decoder/type", {"ByteLevel"});
    vocabulary_.ignore_merges = at("/model/ignore_merges") == true;
  }

  void check_splitting() const {
    expect("/pre_tokenizer/type", {"Sequence"});
    if (at("/pre_tokenizer/pretokenizers").size() != 2) fail("pre_tokenizer has not two steps");
    expect("/pre_tokenizer/pretokenizers/0/type", {"Split"});
    expect("/pre_tokenizer/pretokenizers/0/pattern/Regex", {kSplitPattern});
    expect("/pre_tokenizer/pretokenizers/0/behavior", {"Isolated"});
    expect("/pre_tokenizer/pretokenizers/0/invert", {false, nullptr});
    expect("/pre_tokenizer/pretokenizers/1/type", {"ByteLevel"});
    expect("/pre_tokenizer/pretokenizers/1/add_prefix_space", {false});
    expect("/pre_tokenizer/pretokenizers/1/use_regex", {false});
  }

  void add_token(const std::string& text, const Json& id, TokenKind kind) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= kMaxTokens) {
      fail("token \"" + text + "\" has no id between 0 and " + std::to_string(kMaxTokens - 1));
    }
    const auto index = id.get<std::size_t>();
    if (text.empty()) fail("token " + std::to_string(index) + " is empty");
    if (vocabulary_.tokens.size() <= index) {
      vocabulary_.tokens.resize(index + 1);
      vocabulary_.kinds.resize(index + 1, TokenKind::Text);
    }
    std::string& place = vocabulary_.tokens[index];
    // A special token may stand in the vocabulary, too, under the same id.
    if (!place.empty() && (place != text || kind == TokenKind::Text)) {
      fail("tokens \"" + place + "\" and \"" + text + "\" share id " + std::to_string(index));
    }
    place = text;
    vocabulary_.kinds[index] = kind;
  }

  void read_tokens() {
    const Json& tokens = at("/model/vocab");
    if (!tokens.is_object()) fail("model/vocab is missing");
    vocabulary_.tokens.reserve(tokens.size());
    vocabulary_.kinds.reserve(tokens.size());
    for (const auto& [text, id] : tokens.items()) add_token(text, id, TokenKind::Text);
  }

  void read_added_tokens() {
    const Json& added = at("/added_tokens");
    if (!added.is_array()) fail("added_tokens is missing");
    for (const Json& token : added) {
      if (!token.is_object() || !token.contains("id") || !token.contains("content") ||
          !token["content"].is_string()) {
        fail("an added token lacks its id or content");
      }
      const auto& text = token["content"].get_ref<const std::string&>();
      if (token.value("special", Json()) != true)
        fail("added token \"" + text + "\" is not special");
      for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
        if (token.value(flag, Json(false)) != false) {
          fail("added token \"" + text + "\" sets " + flag + ", which is not supported");
        }
      }
      add_token(text, token["id"], TokenKind::Special);
    }
  }

  void read_merges() {
    const Json& merges = at("/model/merges");
    if (!merges.is_array()) fail("model/merges is missing");
    vocabulary_.merges.reserve(merges.size());
    for (const Json& merge : merges) {
      if (merge.is_string()) {
        vocabulary_.merges.push_back(merge.get<std::string>());
      } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
                 merge[1].is_string()) {
        vocabulary_.merges.push_back(merge[0].get<std::string>() + " " +
                                     merge[1].get<std::string>());
      } else {
        fail("merge " + std::to_string(vocabulary_.merges.size()) + " is not a pair of tokens");
      }
    }
  }

  const Json& file_;
  const std::string& name_;
  Vocabulary vocabulary_;
};

}  // namespace

Vocabulary parse_vocabulary(std::string_view json, const std::string& name) {
  Json file;
  try {
    file = Json::parse(json);
  } catch (const Json::parse_error& error) {
    throw FormatError(name + ": not JSON at byte " + std::to_string(error.byte) +
                      ": is the file complete?");
  } catch (const Json::out_of_range&) {
    throw FormatError(name + ": not JSON: a number is out of range");
  }
  return Reader(file, name).read();
}

Vocabulary read_vocabulary(const std::string& folder_or_file) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path given(folder_or_file);
  const std::string path =
      (fs::is_directory(given, ignored) ? given / "tokenizer.json" : given).string();
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw FormatError(path + ": " + std::strerror(errno) +
                      ": a model folder needs the tokenizer.json of its model");
  }
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) throw FormatError(path + ": cannot be read: " + std::strerror(errno));
  return parse_vocabulary(text, path);
}

}  // namespace rotor
