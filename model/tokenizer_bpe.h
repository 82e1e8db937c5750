// Byte-pair encoding of one piece of text: the tables of tokens and merges, and the merging.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

namespace rotor {

class BytePairs {
 public:
  // Throws FormatError, with `name` in the message, if a token is not written in byte-level
  // characters, one of the 256 single bytes is missing, or a merge names a token that is not there.
  BytePairs(const Vocabulary& vocabulary, const std::string& name);

  std::size_t size() const { return ends_.size(); }  // tokens of any kind
  std::string_view bytes(TokenId id) const;          // raw bytes of a token

  // Buffers that `encode` reuses from piece to piece.
  struct Scratch {
    struct Part {
      TokenId id;
      std::uint32_t rank;  // of the merge with the part on the right; kNone: there is none
      std::uint32_t left;
      std::uint32_t right;
    };
    std::vector<Part> parts;          // one per byte at first, linked
    std::vector<std::uint64_t> heap;  // rank << 32 | position, smallest first
  };

  // Appends the ids of one piece (1 to 2^32 - 2 bytes). Time grows as n log n with its length.
  void encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const;

  static constexpr std::uint32_t kNone = UINT32_MAX;

 private:
  struct TokenSlot {
    std::uint32_t tag = 0;  // upper half of the hash, so that most misses touch no bytes
    TokenId id = kNone;
  };
  struct MergeSlot {
    std::uint64_t pair = UINT64_MAX;  // left id << 32 | right id
    std::uint32_t rank = kNone;
  };

  void add_token(TokenId id, const std::string& name);
  void add_merge(const std::string& merge, std::uint32_t rank, const std::string& name);
  TokenId find(std::string_view bytes) const;  // kNone: no such token
  const MergeSlot& find_merge(TokenId left, TokenId right) const;
  void set_rank(Scratch& scratch, std::uint32_t position) const;
  void split_bytes(std::string_view piece, Scratch& scratch) const;
  void merge_all(Scratch& scratch) const;

  bool ignore_merges_;
  std::string bytes_;                // of all tokens, one after the other
  std::vector<std::uint32_t> ends_;  // [size], into bytes_
  std::vector<TokenSlot> tokens_;    // open addressing, a power of two
  std::vector<MergeSlot> merges_;    // the same
  std::vector<TokenId> merged_;      // [merges], by rank
  TokenId byte_ids_[256];
};

}  // namespace rotor
