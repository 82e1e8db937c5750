// The reader of tokenizer.json (specification of the format: section 4.1 of the model notes is
// ours, the format itself is that of the Hugging Face tokenizers library).
#include <initializer_list>
#include <variant>

#include "core/error.h"
#include "model/json.h"
#include "model/tokenizer.h"
#include "model/tokenizer_split.h"

namespace rotor {
namespace {

// No vocabulary in use comes near; it keeps a lying id from sizing an allocation.
constexpr std::size_t kMaxTokens = std::size_t{1} << 24;
// A token is one value, a merge up to three.
constexpr JsonLimits kLimits = {.depth = 16, .values = std::size_t{1} << 23};

// What a setting may be: null (or absent), a truth value, or a text.
using Setting = std::variant<std::monostate, bool, std::string_view>;

bool is_setting(const Json* value, const Setting& setting) {
  if (value == nullptr || value->is_null()) return std::holds_alternative<std::monostate>(setting);
  if (const bool* truth = value->get_if<bool>()) return setting == Setting(*truth);
  const auto* text = value->get_if<std::string>();
  return text != nullptr && setting == Setting(std::string_view(*text));
}

std::string show(const Setting& setting) {
  if (const bool* truth = std::get_if<bool>(&setting)) return *truth ? "true" : "false";
  if (const auto* text = std::get_if<std::string_view>(&setting)) return quote(*text);
  return "null";
}

std::string show(const Json* value) {
  if (value == nullptr || value->is_null()) return "null";
  if (const bool* truth = value->get_if<bool>()) return *truth ? "true" : "false";
  if (const auto* text = value->get_if<std::string>()) return quote(*text);
  return value->get_if<Json::Object>()  ? "an object"
         : value->get_if<Json::Array>() ? "a list"
                                        : "a number";
}

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

  // Follows keys from an object; null where one is missing.
  static const Json* follow(const Json* from, std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
      if (from != nullptr) from = from->find(key);
    }
    return from;
  }

  // Refuses a file whose setting is none of those that this reader implements.
  void expect(const std::string& what, const Json* value,
              std::initializer_list<Setting> allowed) const {
    for (const Setting& one : allowed) {
      if (is_setting(value, one)) return;
    }
    fail(what + " is " + show(value) + ", not " + show(*allowed.begin()) +
         ": only byte-level BPE that splits as Llama 3 does can be read");
  }

  void check_settings() {
    if (file_.get_if<Json::Object>() == nullptr) fail("not a JSON object");
    const auto model = [&](const char* key) { return follow(&file_, {"model", key}); };
    constexpr std::monostate kNull;
    expect("model.type", model("type"), {"BPE"});
    expect("model.dropout", model("dropout"), {kNull});
    expect("model.unk_token", model("unk_token"), {kNull});
    expect("model.continuing_subword_prefix", model("continuing_subword_prefix"), {kNull, ""});
    expect("model.end_of_word_suffix", model("end_of_word_suffix"), {kNull, ""});
    expect("model.byte_fallback", model("byte_fallback"), {false, kNull});
    expect("model.ignore_merges", model("ignore_merges"), {true, false, kNull});
    expect("normalizer", file_.find("normalizer"), {kNull});
    expect("decoder.type", follow(&file_, {"decoder", "type"}), {"ByteLevel"});
    vocabulary_.ignore_merges = is_setting(model("ignore_merges"), true);
  }

  void check_splitting() const {
    expect("pre_tokenizer.type", follow(&file_, {"pre_tokenizer", "type"}), {"Sequence"});
    const Json* steps = follow(&file_, {"pre_tokenizer", "pretokenizers"});
    const auto* list = steps == nullptr ? nullptr : steps->get_if<Json::Array>();
    if (list == nullptr || list->size() != 2) fail("pre_tokenizer has not two steps");
    const Json& split = (*list)[0];
    const Json& bytes = (*list)[1];
    expect("the first pre-tokenizer's type", split.find("type"), {"Split"});
    expect("its pattern", follow(&split, {"pattern", "Regex"}), {kSplitPattern});
    expect("its behavior", split.find("behavior"), {"Isolated"});
    expect("its invert", split.find("invert"), {false, std::monostate()});
    expect("the second pre-tokenizer's type", bytes.find("type"), {"ByteLevel"});
    expect("its add_prefix_space", bytes.find("add_prefix_space"), {false});
    expect("its use_regex", bytes.find("use_regex"), {false});
  }

  void add_token(const std::string& text, const Json& id, TokenKind kind) {
    const auto* number = id.get_if<std::uint64_t>();
    if (number == nullptr || *number >= kMaxTokens) {
      fail("token " + quote(text) + " has no id between 0 and " + std::to_string(kMaxTokens - 1));
    }
    const auto index = static_cast<std::size_t>(*number);
    if (text.empty()) fail("token " + std::to_string(index) + " is empty");
    if (vocabulary_.tokens.size() <= index) {
      vocabulary_.tokens.resize(index + 1);
      vocabulary_.kinds.resize(index + 1, TokenKind::Text);
    }
    std::string& place = vocabulary_.tokens[index];
    // A special token may stand in the vocabulary, too, under the same id.
    if (!place.empty() && (place != text || kind == TokenKind::Text)) {
      fail("tokens " + quote(place) + " and " + quote(text) + " share id " + std::to_string(index));
    }
    place = text;
    vocabulary_.kinds[index] = kind;
  }

  const Json::Array& list(const std::string& what, const Json* value) const {
    const auto* items = value == nullptr ? nullptr : value->get_if<Json::Array>();
    if (items == nullptr) fail(what + " is missing");
    return *items;
  }

  void read_tokens() {
    const Json* tokens = follow(&file_, {"model", "vocab"});
    const auto* members = tokens == nullptr ? nullptr : tokens->get_if<Json::Object>();
    if (members == nullptr) fail("model.vocab is missing");
    vocabulary_.tokens.reserve(members->size());
    vocabulary_.kinds.reserve(members->size());
    for (const auto& [text, id] : *members) add_token(text, id, TokenKind::Text);
  }

  void read_added_tokens() {
    for (const Json& token : list("added_tokens", file_.find("added_tokens"))) {
      const Json* id = token.find("id");
      const Json* content = token.find("content");
      const auto* text = content == nullptr ? nullptr : content->get_if<std::string>();
      if (id == nullptr || text == nullptr) fail("an added token lacks its id or content");
      const std::string what = "added token " + quote(*text);
      if (!is_setting(token.find("special"), true)) fail(what + " is not special");
      for (const char* flag : {"single_word", "lstrip", "rstrip"}) {
        expect(what + ": " + flag, token.find(flag), {false, std::monostate()});
      }
      add_token(*text, *id, TokenKind::Special);
    }
  }

  void read_merges() {
    const auto& merges = list("model.merges", follow(&file_, {"model", "merges"}));
    vocabulary_.merges.reserve(merges.size());
    for (const Json& merge : merges) vocabulary_.merges.push_back(merge_text(merge));
  }

  // Either "left right" or ["left", "right"].
  std::string merge_text(const Json& merge) const {
    if (const auto* text = merge.get_if<std::string>()) return *text;
    if (const auto* pair = merge.get_if<Json::Array>(); pair != nullptr && pair->size() == 2) {
      const auto* left = (*pair)[0].get_if<std::string>();
      const auto* right = (*pair)[1].get_if<std::string>();
      if (left != nullptr && right != nullptr) return *left + " " + *right;
    }
    fail("merge " + std::to_string(vocabulary_.merges.size()) + " is not a pair of tokens");
  }

  const Json& file_;
  const std::string& name_;
  Vocabulary vocabulary_;
};

}  // namespace

Vocabulary parse_vocabulary(std::string_view json, const std::string& name) {
  return Reader(parse_json(json, name, kLimits), name).read();
}

}  // namespace rotor
