// The four classes of code points that the Llama-3 splitting rule tells apart.
#pragma once

#include <cstdint>

namespace rotor {

enum class CharClass : std::uint8_t {
  Other,   // none of the below: punctuation, symbols, marks, controls, unassigned
  Letter,  // general category L*
  Number,  // general category N*
  Space,   // the White_Space property
};

// The class of a code point up to U+10FFFF. The Unicode version stands in model/unicode_tables.inc.
CharClass char_class(char32_t code);

}  // namespace rotor
