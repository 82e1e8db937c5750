#include "model/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace rotor {
namespace {

struct Run {
  char32_t first;
  CharClass value;
};

constexpr auto kRuns = [] {
  using enum CharClass;
  return std::to_array<Run>({
#include "model/unicode_tables.inc"
  });
}();

constexpr CharClass search(char32_t code) {
  const auto after = std::upper_bound(kRuns.begin(), kRuns.end(), code,
                                      [](char32_t c, const Run& run) { return c < run.first; });
  return std::prev(after)->value;  // the first run begins at 0
}

// Everything of one or two UTF-8 bytes (Latin, Greek, Cyrillic, Hebrew, Arabic) without a search.
constexpr auto kShort = [] {
  std::array<CharClass, 0x800> table{};
  for (char32_t code = 0; code < table.size(); ++code) table[code] = search(code);
  return table;
}();

}  // namespace

CharClass char_class(char32_t code) {
  return code < kShort.size() ? kShort[code] : search(code);
}

}  // namespace rotor
