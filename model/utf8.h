// UTF-8: decoding with the replacement rule of the Unicode standard, for texts and for streams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rotor {

// What stands at one place of a byte sequence. An ill-formed place is as long as its maximal
// subpart (Unicode 14, section 3.9, "U+FFFD Substitution of Maximal Subparts"), so that one U+FFFD
// replaces it.
struct Utf8Char {
  enum class Kind : std::uint8_t {
    Valid,
    IllFormed,   // no continuation can make it valid
    Incomplete,  // the sequence ends inside a character that is valid so far (1 to 3 bytes)
  };
  char32_t code;      // U+FFFD unless valid
  std::uint8_t size;  // bytes, at least 1
  Kind kind;
};

// The character at bytes[pos]; pos < bytes.size().
Utf8Char decode_utf8(std::string_view bytes, std::size_t pos);

bool is_utf8(std::string_view bytes);

// The bytes with every ill-formed place replaced by U+FFFD.
std::string replace_ill_formed(std::string_view bytes);

// Turns a stream of token bytes into a stream of valid UTF-8: holds back an incomplete sequence
// (at most 3 bytes) and replaces what can never become valid by U+FFFD at once.
class Utf8Stream {
 public:
  // What can be shown after these bytes.
  std::string push(std::string_view bytes);
  // The held tail as U+FFFD, at the end; empty if nothing is held. The stream can be used again.
  std::string flush();

 private:
  std::string held_;
};

}  // namespace rotor
