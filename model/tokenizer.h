// Text <-> token ids: byte-level BPE of the Llama-3 family.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/utf8.h"

namespace rotor {

using TokenId = std::uint32_t;

// Whether "<|eot_id|>" in a text is a special token or ten characters. Text of users is never
// parsed for special tokens.
enum class Specials : std::uint8_t { AsText, Parse };

enum class TokenKind : std::uint8_t {
  Text,
  Special,  // a marker such as "<|eot_id|>"
  Unused,   // padding of the vocabulary: never encoded, decodes as a special token
};

// What tokenizer.json and the keys of a GGUF file say, as they say it.
struct Vocabulary {
  std::vector<std::string> tokens;  // [size], text in byte-level characters; the others verbatim
  std::vector<TokenKind> kinds;     // [size]
  std::vector<std::string> merges;  // "left right" in byte-level characters, best first
  bool ignore_merges = true;        // a piece that is a token becomes that token, without merging
};

// The file that holds the tokenizer of a model: a tokenizer.json or .gguf file itself, or the one
// in a folder; nothing if there is none. Throws FormatError if a .gguf file cannot be read.
std::optional<std::string> vocabulary_file(const std::string& folder_or_file);
// Reads that file. Throws FormatError if there is none, it is malformed, or not a byte-level BPE
// tokenizer that splits as Llama 3 does.
Vocabulary read_vocabulary(const std::string& folder_or_file);
// The text of a tokenizer.json; `name` appears in messages. Throws FormatError as above.
Vocabulary parse_vocabulary(std::string_view json, const std::string& name);

class Tokenizer {
 public:
  // read_vocabulary and from_vocabulary in one.
  static Tokenizer open(const std::string& folder_or_file);
  // parse_vocabulary and from_vocabulary in one.
  static Tokenizer from_json(std::string_view json, const std::string& name);
  // The splitting rule is always that of Llama 3. Throws FormatError, with `name` in the message,
  // if token or merge lists contradict themselves.
  static Tokenizer from_vocabulary(const Vocabulary& vocabulary, const std::string& name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Invalid UTF-8 is replaced by U+FFFD (one per maximal ill-formed subpart) before encoding. No
  // BOS is added. Throws UsageError for texts of 4 GB and more. May be called from several threads.
  std::vector<TokenId> encode(std::string_view text, Specials specials = Specials::AsText) const;

  // Concatenated bytes; may be invalid UTF-8. Special tokens as their text with Specials::Parse,
  // else skipped. Ids out of range throw UsageError.
  std::string decode(std::span<const TokenId> ids, Specials specials = Specials::AsText) const;

  std::size_t size() const;                  // tokens, specials included
  std::string_view bytes(TokenId id) const;  // raw bytes of one token; id < size()
  bool is_special(TokenId id) const;         // not text; id < size()
  std::optional<TokenId> special(std::string_view text) const;  // "<|eot_id|>" -> id

 private:
  struct Data;
  explicit Tokenizer(std::unique_ptr<Data> data);
  std::unique_ptr<Data> data_;
};

}  // namespace rotor
