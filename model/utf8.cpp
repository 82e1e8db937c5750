#include "model/utf8.h"

#include <cstring>
#include <utility>

namespace rotor {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr std::string_view kReplacementBytes = "\xEF\xBF\xBD";

// Which bytes may follow a first byte (Unicode 14, table 3-7): later ones are always 80..BF.
struct Lead {
  std::uint8_t size = 0;  // of the whole character; 0: cannot begin one
  std::uint8_t second_min = 0x80;
  std::uint8_t second_max = 0xBF;
};

constexpr Lead lead_of(std::uint8_t byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {0};  // a continuation, or an overlong form of ASCII
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};  // no overlong forms
  if (byte == 0xED) return {3, 0x80, 0x9F};  // no surrogates
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};  // no overlong forms
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};  // nothing above U+10FFFF
  return {0};
}

// Length of the leading ASCII part, eight bytes at a time.
std::size_t ascii_prefix(std::string_view bytes) {
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < bytes.size() && static_cast<std::uint8_t>(bytes[i]) < 0x80) ++i;
  return i;
}

// Length of the leading part that is valid UTF-8.
std::size_t valid_prefix(std::string_view bytes) {
  std::size_t pos = ascii_prefix(bytes);
  while (pos < bytes.size()) {
    const Utf8Char c = decode_utf8(bytes, pos);
    if (c.kind != Utf8Char::Kind::Valid) break;
    pos += c.size;
    if (c.size == 1) pos += ascii_prefix(bytes.substr(pos));
  }
  return pos;
}

}  // namespace

Utf8Char decode_utf8(std::string_view bytes, std::size_t pos) {
  const auto byte_at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[pos + i]); };
  const std::uint8_t first = byte_at(0);
  if (first < 0x80) return {first, 1, Utf8Char::Kind::Valid};
  const Lead lead = lead_of(first);
  if (lead.size == 0) return {kReplacement, 1, Utf8Char::Kind::IllFormed};

  char32_t code = first & (0x7Fu >> lead.size);
  for (std::uint8_t i = 1; i < lead.size; ++i) {
    if (pos + i == bytes.size()) return {kReplacement, i, Utf8Char::Kind::Incomplete};
    const std::uint8_t next = byte_at(i);
    const std::uint8_t low = i == 1 ? lead.second_min : std::uint8_t{0x80};
    const std::uint8_t high = i == 1 ? lead.second_max : std::uint8_t{0xBF};
    if (next < low || next > high) return {kReplacement, i, Utf8Char::Kind::IllFormed};
    code = (code << 6) | (next & 0x3Fu);
  }
  return {code, lead.size, Utf8Char::Kind::Valid};
}

bool is_utf8(std::string_view bytes) {
  return valid_prefix(bytes) == bytes.size();
}

std::string replace_ill_formed(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t valid = valid_prefix(bytes);
    result.append(bytes.substr(0, valid));
    bytes.remove_prefix(valid);
    if (bytes.empty()) break;
    result.append(kReplacementBytes);
    bytes.remove_prefix(decode_utf8(bytes, 0).size);
  }
  return result;
}

std::string Utf8Stream::push(std::string_view bytes) {
  held_ += bytes;
  std::size_t end = held_.size();
  // An incomplete character begins in one of the last three bytes.
  for (std::size_t back = 1; back <= 3 && back <= held_.size(); ++back) {
    const std::size_t pos = held_.size() - back;
    if (decode_utf8(held_, pos).kind == Utf8Char::Kind::Incomplete) end = pos;
  }
  std::string tail = held_.substr(end);
  held_.resize(end);
  std::string shown = replace_ill_formed(held_);
  held_ = std::move(tail);
  return shown;
}

std::string Utf8Stream::flush() {
  return replace_ill_formed(std::exchange(held_, {}));
}

}  // namespace rotor
