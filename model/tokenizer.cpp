#include "model/tokenizer.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <utility>

#include "core/error.h"
#include "model/tokenizer_bpe.h"
#include "model/tokenizer_split.h"

namespace rotor {
namespace {

void check_kinds(const Vocabulary& vocabulary, const std::string& name) {
  if (vocabulary.kinds.size() == vocabulary.tokens.size()) return;
  throw FormatError(name + ": " + std::to_string(vocabulary.tokens.size()) + " tokens but " +
                    std::to_string(vocabulary.kinds.size()) + " token types");
}

// The special tokens, and where the next of them stands in a text.
class SpecialTokens {
 public:
  struct Match {
    std::size_t begin;
    std::size_t size;  // 0: there is none, and begin is the end of the text
    TokenId id;
  };

  void add(std::string_view text, TokenId id, const std::string& name) {
    if (text.empty())
      throw FormatError(name + ": special token " + std::to_string(id) + " is empty");
    if (!ids_.emplace(text, id).second) {
      throw FormatError(name + ": special token \"" + std::string(text) + "\" is there twice");
    }
    first_bytes_.set(static_cast<std::uint8_t>(text[0]));
    const auto place =
        std::lower_bound(sizes_.begin(), sizes_.end(), text.size(), std::greater<>());
    if (place == sizes_.end() || *place != text.size()) sizes_.insert(place, text.size());
  }

  std::optional<TokenId> find(std::string_view text) const {
    const auto found = ids_.find(text);
    if (found == ids_.end()) return std::nullopt;
    return found->second;
  }

  // The leftmost, and of those the longest, at or after `pos`.
  Match next(std::string_view text, std::size_t pos) const {
    for (; pos < text.size(); ++pos) {
      if (!first_bytes_.test(static_cast<std::uint8_t>(text[pos]))) continue;
      for (const std::size_t size : sizes_) {
        if (size > text.size() - pos) continue;
        if (const auto id = find(text.substr(pos, size))) return {pos, size, *id};
      }
    }
    return {text.size(), 0, 0};
  }

 private:
  std::map<std::string, TokenId, std::less<>> ids_;
  std::bitset<256> first_bytes_;
  std::vector<std::size_t> sizes_;  // that occur, longest first
};

}  // namespace

struct Tokenizer::Data {
  Data(const Vocabulary& vocabulary, const std::string& name)
      : pairs(vocabulary, name), kinds(vocabulary.kinds) {
    for (TokenId id = 0; id < kinds.size(); ++id) {
      if (kinds[id] == TokenKind::Special) specials.add(pairs.bytes(id), id, name);
    }
  }

  // A stretch between special tokens, valid UTF-8.
  void encode_stretch(std::string_view text, BytePairs::Scratch& scratch,
                      std::vector<TokenId>& ids) const {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = piece_end(text, begin);
      pairs.encode(text.substr(begin, end - begin), scratch, ids);
      begin = end;
    }
  }

  BytePairs pairs;
  std::vector<TokenKind> kinds;  // [size]
  SpecialTokens specials;
};

Tokenizer::Tokenizer(std::unique_ptr<Data> data) : data_(std::move(data)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::open(const std::string& folder_or_file) {
  return from_vocabulary(read_vocabulary(folder_or_file), folder_or_file);
}

Tokenizer Tokenizer::from_json(std::string_view json, const std::string& name) {
  return from_vocabulary(parse_vocabulary(json, name), name);
}

Tokenizer Tokenizer::from_vocabulary(const Vocabulary& vocabulary, const std::string& name) {
  check_kinds(vocabulary, name);
  return Tokenizer(std::make_unique<Data>(vocabulary, name));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, Specials specials) const {
  std::string repaired;
  if (!is_utf8(text)) text = repaired = replace_ill_formed(text);
  if (text.size() >= BytePairs::kNone)
    throw UsageError("the text has 4 GB or more: encode parts of it");

  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3);  // typical of the Llama-3 vocabulary; grows if need be
  BytePairs::Scratch scratch;
  if (specials == Specials::AsText) {
    data_->encode_stretch(text, scratch, ids);
    return ids;
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const auto match = data_->specials.next(text, begin);
    data_->encode_stretch(text.substr(begin, match.begin - begin), scratch, ids);
    if (match.size != 0) ids.push_back(match.id);
    begin = match.begin + match.size;
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, Specials specials) const {
  std::string result;
  for (const TokenId id : ids) {
    if (id >= size()) {
      throw UsageError("token id " + std::to_string(id) + " is out of range: the vocabulary has " +
                       std::to_string(size()) + " tokens");
    }
    if (specials == Specials::Parse || !is_special(id)) result += bytes(id);
  }
  return result;
}

std::size_t Tokenizer::size() const {
  return data_->kinds.size();
}
std::string_view Tokenizer::bytes(TokenId id) const {
  return data_->pairs.bytes(id);
}
bool Tokenizer::is_special(TokenId id) const {
  return data_->kinds[id] != TokenKind::Text;
}

std::optional<TokenId> Tokenizer::special(std::string_view text) const {
  return data_->specials.find(text);
}

}  // namespace rotor
