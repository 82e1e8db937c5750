// Fuzz target: arbitrary bytes as text of the demo tokenizer, which must come back; and as a
// tokenizer.json or the middle of one, where nothing but a FormatError may come out.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "model/tokenizer.h"
#include "model/tokenizer_split.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_text(std::string_view text) {
  static const rotor::Tokenizer tokenizer =
      rotor::Tokenizer::open(ROTOR_SOURCE_DIR "/model/demo/tokenizer.json");
  const std::string valid = rotor::replace_ill_formed(text);
  require(rotor::is_utf8(valid));
  require(tokenizer.decode(tokenizer.encode(text)) == valid);
  const auto parsed = tokenizer.encode(text, rotor::Specials::Parse);
  require(tokenizer.decode(parsed, rotor::Specials::Parse) == valid);

  rotor::Utf8Stream stream;
  std::string shown;
  for (const rotor::TokenId id : parsed) shown += stream.push(tokenizer.bytes(id));
  require(shown + stream.flush() == valid);
}

void check_file(std::string_view json) {
  try {
    rotor::Tokenizer::from_json(json, "fuzz").encode("It's 2024: x\n\n  y");
  } catch (const rotor::FormatError&) {
  }
}

// A tokenizer.json of the right kind, with every single byte and one merge.
std::string small_file() {
  const rotor::Vocabulary demo =
      rotor::read_vocabulary(ROTOR_SOURCE_DIR "/model/demo/tokenizer.json");
  std::string vocab;
  for (int id = 0; id < 257; ++id) {
    const std::string& text = demo.tokens[static_cast<std::size_t>(id)];
    vocab += id == 0 ? "\"" : ",\"";
    for (const char c : text) (c == '"' || c == '\\' ? vocab += '\\' : vocab) += c;
    vocab += "\":" + std::to_string(id);
  }
  std::string pattern;
  for (const char c : rotor::kSplitPattern) (c == '\\' ? pattern += c : pattern) += c;
  return R"({"model":{"type":"BPE","ignore_merges":true,"vocab":{)" + vocab + R"(},"merges":[")" +
         demo.merges[0] +
         R"("]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":)"
         R"({"Regex":")" +
         pattern +
         R"("},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,)"
         R"("use_regex":false}]},"decoder":{"type":"ByteLevel"},"added_tokens":[{"id":257,)"
         R"("content":"<|x|>","special":true}]})";
}

// Replaces a few bytes of a good file, so that the fuzzer gets past the first checks.
void check_changed_file(std::string_view bytes) {
  static const std::string good = [] {
    std::string text = small_file();
    rotor::Tokenizer::from_json(text, "small");  // throws if it is not good
    return text;
  }();
  if (bytes.size() < 3) return;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  const std::size_t at = (byte(0) * 256u + byte(1)) % good.size();
  std::string changed = good;
  changed.replace(at, byte(2), bytes.substr(3));
  check_file(changed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_text(bytes);
  check_file(bytes);
  check_changed_file(bytes);
  return 0;
}
