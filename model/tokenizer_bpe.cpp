#include "model/tokenizer_bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "core/error.h"
#include "core/random.h"
#include "model/json.h"
#include "model/utf8.h"

namespace rotor {
namespace {

// Vocabulary files write each byte as one printable character (the GPT-2 table): printable Latin-1
// stands for itself, the other 68 bytes are U+0100, U+0101, ... in order.
constexpr std::size_t kByteChars = 0x144;
constexpr std::uint16_t kNoByte = 0x100;
constexpr auto kByteOfChar = [] {
  std::array<std::uint16_t, kByteChars> table{};
  table.fill(kNoByte);
  std::size_t next = 0x100;
  for (std::uint16_t byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    table[printable ? byte : next++] = byte;
  }
  return table;
}();

// Appends the raw bytes of a text in byte-level characters; false if it is not one.
bool append_raw(std::string_view text, std::string& raw) {
  for (std::size_t pos = 0; pos < text.size();) {
    const Utf8Char c = decode_utf8(text, pos);
    if (c.code >= kByteChars || kByteOfChar[c.code] == kNoByte) return false;
    raw += static_cast<char>(kByteOfChar[c.code]);
    pos += c.size;
  }
  return !text.empty();
}

std::uint64_t pair_of(TokenId left, TokenId right) {
  return std::uint64_t{left} << 32 | right;
}

std::uint32_t tag_of(std::uint64_t hash) {
  return static_cast<std::uint32_t>(hash >> 32);
}

// Slots for `count` entries, at most two thirds full.
std::size_t slots_for(std::size_t count) {
  return std::bit_ceil(count + count / 2 + 1);
}

[[noreturn]] void fail(const std::string& name, const std::string& what) {
  throw FormatError(name + ": " + what);
}

}  // namespace

BytePairs::BytePairs(const Vocabulary& vocabulary, const std::string& name)
    : ignore_merges_(vocabulary.ignore_merges) {
  const std::size_t count = vocabulary.tokens.size();
  if (count >= kNone || vocabulary.merges.size() >= kNone) fail(name, "too many tokens or merges");
  tokens_.resize(slots_for(count));
  ends_.reserve(count);
  for (TokenId id = 0; id < count; ++id) {
    const std::string& text = vocabulary.tokens[id];
    const bool is_text = vocabulary.kinds[id] == TokenKind::Text;
    if (!is_text) bytes_ += text;
    if (is_text && !append_raw(text, bytes_)) {
      fail(name, "token " + std::to_string(id) + " (" + replace_ill_formed(quote(text)) +
                     ") is not in byte-level characters; only byte-level BPE can be read");
    }
    if (bytes_.size() >= kNone) fail(name, "the tokens have more than 4 GB of text");
    ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
    if (is_text) add_token(id, name);
  }
  for (std::uint16_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    byte_ids_[byte] = find({&c, 1});
    if (byte_ids_[byte] == kNone) {
      fail(name, "no token for the single byte " + std::to_string(byte) +
                     "; a byte-level vocabulary has all 256");
    }
  }
  merges_.resize(slots_for(vocabulary.merges.size()));
  merged_.reserve(vocabulary.merges.size());
  for (std::uint32_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    add_merge(vocabulary.merges[rank], rank, name);
  }
}

std::string_view BytePairs::bytes(TokenId id) const {
  const std::uint32_t begin = id == 0 ? 0 : ends_[id - 1];
  return std::string_view(bytes_).substr(begin, ends_[id] - begin);
}

void BytePairs::add_token(TokenId id, const std::string& name) {
  const std::uint64_t hash = fnv1a(bytes(id));
  std::size_t slot = hash & (tokens_.size() - 1);
  for (; tokens_[slot].id != kNone; slot = (slot + 1) & (tokens_.size() - 1)) {
    if (bytes(tokens_[slot].id) == bytes(id)) {
      fail(name, "tokens " + std::to_string(tokens_[slot].id) + " and " + std::to_string(id) +
                     " are the same");
    }
  }
  tokens_[slot] = {tag_of(hash), id};
}

TokenId BytePairs::find(std::string_view bytes_wanted) const {
  const std::uint64_t hash = fnv1a(bytes_wanted);
  std::size_t slot = hash & (tokens_.size() - 1);
  for (; tokens_[slot].id != kNone; slot = (slot + 1) & (tokens_.size() - 1)) {
    if (tokens_[slot].tag == tag_of(hash) && bytes(tokens_[slot].id) == bytes_wanted) break;
  }
  return tokens_[slot].id;
}

void BytePairs::add_merge(const std::string& merge, std::uint32_t rank, const std::string& name) {
  const std::size_t space = merge.find(' ');
  std::string joined;
  const bool left_good = append_raw(std::string_view(merge).substr(0, space), joined);
  const std::size_t left_size = joined.size();
  const bool right_good =
      space != std::string::npos && append_raw(std::string_view(merge).substr(space + 1), joined);
  const auto fail_merge = [&](const std::string& what) {
    fail(name,
         "merge " + std::to_string(rank) + " (" + replace_ill_formed(quote(merge)) + ") " + what);
  };
  if (!left_good || !right_good) fail_merge("is not two tokens in byte-level characters");
  const TokenId left = find(std::string_view(joined).substr(0, left_size));
  const TokenId right = find(std::string_view(joined).substr(left_size));
  const TokenId merged = find(joined);
  if (left == kNone || right == kNone || merged == kNone) {
    fail_merge("has parts or a result that are no tokens");
  }
  std::size_t slot = mix(pair_of(left, right)) & (merges_.size() - 1);
  for (; merges_[slot].rank != kNone; slot = (slot + 1) & (merges_.size() - 1)) {
    if (merges_[slot].pair == pair_of(left, right)) fail_merge("is there twice");
  }
  merges_[slot] = {pair_of(left, right), rank};
  merged_.push_back(merged);
}

const BytePairs::MergeSlot& BytePairs::find_merge(TokenId left, TokenId right) const {
  const std::uint64_t pair = pair_of(left, right);
  std::size_t slot = mix(pair) & (merges_.size() - 1);
  while (merges_[slot].rank != kNone && merges_[slot].pair != pair) {
    slot = (slot + 1) & (merges_.size() - 1);
  }
  return merges_[slot];
}

// Looks up the merge of a part with its right neighbour and remembers its rank there.
void BytePairs::set_rank(Scratch& scratch, std::uint32_t position) const {
  Scratch::Part& part = scratch.parts[position];
  part.rank = kNone;
  if (part.right == kNone) return;
  part.rank = find_merge(part.id, scratch.parts[part.right].id).rank;
  if (part.rank == kNone) return;
  scratch.heap.push_back(std::uint64_t{part.rank} << 32 | position);
}

// One part per byte, and a heap of the merges that are possible between them.
void BytePairs::split_bytes(std::string_view piece, Scratch& scratch) const {
  const auto n = static_cast<std::uint32_t>(piece.size());
  scratch.parts.clear();
  scratch.heap.clear();
  for (std::uint32_t i = 0; i < n; ++i) {
    const TokenId id = byte_ids_[static_cast<std::uint8_t>(piece[i])];
    scratch.parts.push_back({id, kNone, i == 0 ? kNone : i - 1, i + 1 == n ? kNone : i + 1});
  }
  for (std::uint32_t i = 0; i < n; ++i) set_rank(scratch, i);
  std::make_heap(scratch.heap.begin(), scratch.heap.end(), std::greater<>());
}

// Merges the pair of lowest rank, the leftmost of equals, until there is none.
void BytePairs::merge_all(Scratch& scratch) const {
  auto& parts = scratch.parts;
  auto& heap = scratch.heap;
  const auto update = [&](std::uint32_t i) {
    const std::size_t before = heap.size();
    set_rank(scratch, i);
    if (heap.size() != before) std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    const auto rank = static_cast<std::uint32_t>(heap.front() >> 32);
    const auto i = static_cast<std::uint32_t>(heap.front());
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    // A rank stands for one pair of ids, so an entry is current exactly if the rank still is.
    if (parts[i].rank != rank) continue;
    const std::uint32_t absorbed = parts[i].right;
    parts[i].id = merged_[rank];
    parts[i].right = parts[absorbed].right;
    parts[absorbed].rank = kNone;
    if (parts[i].right != kNone) parts[parts[i].right].left = i;
    update(i);
    if (parts[i].left != kNone) update(parts[i].left);
  }
}

void BytePairs::encode(std::string_view piece, Scratch& scratch, std::vector<TokenId>& ids) const {
  if (ignore_merges_) {
    // No mere shortcut: some tokens cannot be reached by merging.
    if (const TokenId whole = find(piece); whole != kNone) return ids.push_back(whole);
  }
  split_bytes(piece, scratch);
  merge_all(scratch);
  for (std::uint32_t i = 0; i != kNone; i = scratch.parts[i].right) {
    ids.push_back(scratch.parts[i].id);
  }
}

}  // namespace rotor
