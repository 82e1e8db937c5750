#include "model/tokenizer_split.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/unicode.h"

namespace rotor {
namespace {

using Pieces = std::vector<std::string>;

Pieces split(std::string_view text) {
  Pieces pieces;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = piece_end(text, begin);
    pieces.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

TEST(Split, FollowsTheRule) {
  const std::string accent = "\xCC\x81";  // U+0301, a combining mark: neither letter nor space
  const std::string nbsp = "\xC2\xA0";
  const struct {
    std::string text;
    Pieces want;
  } cases[] = {
      {"", {}},
      // Contractions, in any case, even before further letters; the long s U+017F counts as s.
      {"don't DON'T", {"don", "'t", " DON", "'T"}},
      {"'sup's", {"'s", "up", "'s"}},
      {"I'LL we'Ve 'rE 'lx 'D'm",
       {"I", "'LL", " we", "'Ve", " '", "rE", " '", "lx", " '", "D", "'m"}},
      {"a'\xC5\xBFx", {"a", "'\xC5\xBF", "x"}},
      {"'", {"'"}},
      {"'l", {"'l"}},
      {"x'r", {"x", "'r"}},
      // Letters, with at most one character before them.
      {"foo_bar.baz()", {"foo", "_bar", ".baz", "()"}},
      {"e" + accent + "a", {"e", accent + "a"}},
      {"\t\tif", {"\t", "\tif"}},
      {"\na", {"\n", "a"}},
      {"a" + nbsp + "b", {"a", nbsp + "b"}},
      {"!!a", {"!!", "a"}},
      // Numbers by three, of any script, without what stands before them.
      {"12345", {"123", "45"}},
      {"\xC2\xBD\xC2\xB2\xE2\x85\xA7"
       "7",
       {"\xC2\xBD\xC2\xB2\xE2\x85\xA7", "7"}},
      {" 1", {" ", "1"}},
      {"a1b", {"a", "1", "b"}},
      // Other characters, with a space before and newlines after them.
      {"x = {\r\n\n}", {"x", " =", " {\r\n\n", "}"}},
      {"\t=", {"\t", "="}},
      // White space: up to the last newline; all at the end; else all but the last character.
      {"x  y", {"x", " ", " y"}},
      {"x \n y", {"x", " \n", " y"}},
      {"x \n\n  y", {"x", " \n\n", " ", " y"}},
      {"  " + nbsp + "x", {"  ", nbsp + "x"}},
      {"  " + nbsp + "1", {"  ", nbsp, "1"}},
      {" \n ", {" \n", " "}},
      {"a  ", {"a", "  "}},
      {"   1", {"  ", " ", "1"}},
      {"a\xE2\x80\x8B\xE2\x80\x8B"
       "x",
       {"a", "\xE2\x80\x8B\xE2\x80\x8B", "x"}},  // U+200B: no space
  };
  for (const auto& c : cases) EXPECT_EQ(split(c.text), c.want) << c.text;
}

TEST(CharClass, KnowsTheBorders) {
  const struct {
    char32_t code;
    CharClass want;
  } cases[] = {
      {0, CharClass::Other},       {'\t', CharClass::Space},     {'\r', CharClass::Space},
      {0x0E, CharClass::Other},    {0x1F, CharClass::Other},     {' ', CharClass::Space},
      {'0', CharClass::Number},    {'Z', CharClass::Letter},     {'_', CharClass::Other},
      {0x85, CharClass::Space},    {0xA0, CharClass::Space},     {0xAA, CharClass::Letter},
      {0xBD, CharClass::Number},   {0x17F, CharClass::Letter},   {0x301, CharClass::Other},
      {0x660, CharClass::Number},  {0x7FF, CharClass::Other},    {0x800, CharClass::Letter},
      {0x1680, CharClass::Space},  {0x180E, CharClass::Other},   {0x2000, CharClass::Space},
      {0x200A, CharClass::Space},  {0x200B, CharClass::Other},   {0x2028, CharClass::Space},
      {0x2029, CharClass::Space},  {0x202F, CharClass::Space},   {0x205F, CharClass::Space},
      {0x2167, CharClass::Number}, {0x3000, CharClass::Space},   {0x4E00, CharClass::Letter},
      {0xAC00, CharClass::Letter}, {0xFFFD, CharClass::Other},   {0x1D7FF, CharClass::Number},
      {0x1F469, CharClass::Other}, {0x20000, CharClass::Letter}, {0x10FFFF, CharClass::Other},
  };
  for (const auto& c : cases) EXPECT_EQ(char_class(c.code), c.want) << std::hex << int(c.code);
}

}  // namespace
}  // namespace rotor
