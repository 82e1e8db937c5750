// Text <-> token ids: byte-level BPE of the Llama-3 family.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rotor {

using TokenId = std::uint32_t;

// Whether "<|eot_id|>" in a text is a special token or eleven characters. Text of users is never
// parsed for special tokens.
enum class Specials : std::uint8_t { AsText, Parse };

class Tokenizer {
 public:
  // Reads tokenizer.json from a folder (or that file itself). Throws FormatError.
  static Tokenizer open(const std::string& folder_or_file);
  // The text of a tokenizer.json; `name` appears in messages. Throws FormatError.
  static Tokenizer from_json(std::string_view json, const std::string& name);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Invalid UTF-8 is replaced by U+FFFD (one per maximal ill-formed subpart) before encoding. No BOS
  // is added.
  std::vector<TokenId> encode(std::string_view text, Specials specials = Specials::AsText) const;

  // Concatenated bytes; may be invalid UTF-8. Special tokens as their text if asked, else skipped.
  // Ids out of range throw UsageError.
  std::string decode(std::span<const TokenId> ids, Specials specials = Specials::AsText) const;

  std::size_t size() const;                            // tokens, specials included
  std::string_view bytes(TokenId id) const;            // raw bytes of one token
  bool is_special(TokenId id) const;
  std::optional<TokenId> special(std::string_view text) const;  // "<|eot_id|>" -> id

 private:
  struct Data;
  explicit Tokenizer(std::unique_ptr<Data> data);
  std::unique_ptr<Data> data_;
};

// Turns a stream of token bytes into a stream of valid UTF-8: holds back an incomplete sequence
// (at most 3 bytes) and replaces what can never become valid by U+FFFD at once.
class Utf8Stream {
 public:
  // What can be shown after these bytes.
  std::string push(std::string_view bytes);
  // The held tail as U+FFFD, at the end.
  std::string flush();

 private:
  std::string held_;
};

}  // namespace rotor
