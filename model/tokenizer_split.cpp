#include "model/tokenizer_split.h"

#include "model/unicode.h"
#include "model/utf8.h"

namespace rotor {
namespace {

// A character of the text, or what follows the last one.
struct Char {
  char32_t code = 0;
  std::size_t end = 0;  // where the next character begins
  CharClass kind = CharClass::Other;
  bool exists = false;

  bool is(CharClass wanted) const { return exists && kind == wanted; }
  bool is_newline() const { return exists && (code == '\r' || code == '\n'); }
};

Char char_at(std::string_view text, std::size_t pos) {
  if (pos >= text.size()) return {};
  const Utf8Char c = decode_utf8(text, pos);
  return {c.code, pos + c.size, char_class(c.code), true};
}

// End of the run of `kind` that begins at `pos`; `pos` itself if there is none.
std::size_t run_end(std::string_view text, std::size_t pos, CharClass kind) {
  for (Char c = char_at(text, pos); c.is(kind); c = char_at(text, pos)) pos = c.end;
  return pos;
}

std::size_t newlines_end(std::string_view text, std::size_t pos) {
  while (pos < text.size() && (text[pos] == '\r' || text[pos] == '\n')) ++pos;
  return pos;
}

// Simple case folding as far as contractions need it. U+017F, the long s, folds to s.
char32_t fold(char32_t code) {
  if (code >= 'A' && code <= 'Z') return code + ('a' - 'A');
  return code == 0x17F ? U's' : code;
}

// 's 't 'm 'd 're 've 'll after the apostrophe that ends at `pos`; `pos` if there is none.
std::size_t contraction_end(std::string_view text, std::size_t pos) {
  const Char first = char_at(text, pos);
  if (!first.exists) return pos;
  const char32_t a = fold(first.code);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return first.end;
  const Char second = char_at(text, first.end);
  if (!second.exists) return pos;
  const char32_t b = fold(second.code);
  const bool pair = (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l');
  return pair ? second.end : pos;
}

std::size_t numbers_end(std::string_view text, std::size_t pos) {
  for (int count = 0; count < 3; ++count) {
    const Char c = char_at(text, pos);
    if (!c.is(CharClass::Number)) break;
    pos = c.end;
  }
  return pos;
}

// A run of white space up to its last newline; else all of it at the end of the text; else all but
// its last character, which leads the next piece.
std::size_t spaces_end(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  std::size_t last = begin;           // where the last character of the run begins
  std::size_t after_newline = begin;  // behind the last newline of the run
  for (Char c = char_at(text, end); c.is(CharClass::Space); c = char_at(text, end)) {
    if (c.is_newline()) after_newline = c.end;
    last = end;
    end = c.end;
  }
  if (after_newline != begin) return after_newline;
  if (end == text.size() || last == begin) return end;
  return last;
}

}  // namespace

std::size_t piece_end(std::string_view text, std::size_t begin) {
  const Char first = char_at(text, begin);
  if (first.code == '\'') {
    const std::size_t end = contraction_end(text, first.end);
    if (end != first.end) return end;
  }
  if (first.is(CharClass::Letter)) return run_end(text, first.end, CharClass::Letter);
  if (first.is(CharClass::Number)) return numbers_end(text, begin);
  if (!first.is_newline()) {
    const std::size_t end = run_end(text, first.end, CharClass::Letter);
    if (end != first.end) return end;
  }
  const std::size_t core = first.code == ' ' ? first.end : begin;
  const std::size_t end = run_end(text, core, CharClass::Other);
  if (end != core) return newlines_end(text, end);
  return spaces_end(text, begin);
}

}  // namespace rotor
