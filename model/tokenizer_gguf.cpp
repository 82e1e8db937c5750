#include "model/tokenizer_gguf.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "model/json.h"

namespace rotor {
namespace {

// Names under which llama.cpp knows the splitting rule of Llama 3; empty: the key is missing.
constexpr std::array<std::string_view, 4> kLlama3 = {"", "llama-bpe", "llama3", "llama-v3"};

// Numbers of the format.
constexpr std::int32_t kByteToken = 6;

bool looks_special(std::string_view text) {
  return text.size() > 4 && text.starts_with("<|") && text.ends_with("|>");
}

TokenKind kind_of(std::int32_t type, const std::string& text, const std::string& name) {
  switch (type) {
    case kGgufNormalToken:
      return TokenKind::Text;
    case kGgufUnusedToken:
      return TokenKind::Unused;
    case kByteToken:
      throw FormatError(name + ": token " + quote(text) +
                        " is of type byte: only byte-level BPE can be read");
    default:
      return TokenKind::Special;
  }
}

}  // namespace

Vocabulary gguf_vocabulary(GgufTokenizer tokenizer, const std::string& name) {
  if (std::find(kLlama3.begin(), kLlama3.end(), tokenizer.pre) == kLlama3.end()) {
    throw FormatError(name + ": tokenizer.ggml.pre is " + quote(tokenizer.pre) +
                      ": only tokenizers that split as Llama 3 does (\"llama-bpe\") can be read");
  }
  Vocabulary vocabulary;
  std::set<std::string_view> specials;
  for (std::size_t id = 0; id < tokenizer.tokens.size(); ++id) {
    const std::string& text = tokenizer.tokens[id];
    TokenKind kind = looks_special(text) ? TokenKind::Special : TokenKind::Text;
    if (!tokenizer.types.empty()) kind = kind_of(tokenizer.types[id], text, name);
    if (kind == TokenKind::Special && (text.empty() || !specials.insert(text).second)) {
      kind = TokenKind::Unused;
    }
    vocabulary.kinds.push_back(kind);
  }
  vocabulary.tokens = std::move(tokenizer.tokens);
  vocabulary.merges = std::move(tokenizer.merges);
  return vocabulary;
}

}  // namespace rotor
