// Laying out text in columns: what the tables for people share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rotor {

inline constexpr std::size_t kConsoleColumns = 100;

// Columns that UTF-8 text takes on a terminal, for the characters that we print.
std::size_t columns_of(std::string_view text);
std::string pad_right(std::string_view text, std::size_t columns);  // text, then spaces
std::string pad_left(std::string_view text, std::size_t columns);   // spaces, then text
// Cut to that many columns, the last of them an ellipsis where something was cut.
std::string clip(std::string_view text, std::size_t columns);

// For a terminal: control characters other than line ends and tabs are shown as �, so that what a file
// holds cannot steer it.
std::string printable(std::string_view text);

// That many significant digits and a unit: "131.4 µs", "2.048 s".
std::string show_seconds(double seconds, int digits = 4);
// That many digits without an exponent, from 1 on: "0.338", "33.92", "1054"; "-" if not finite.
std::string show_number(double value, int digits = 4);
std::string show_percent(double fraction);                         // "0.4%", "12%"
std::string show_bytes(std::uint64_t bytes);                       // "32 MiB"
std::string count_of(std::size_t count, const std::string& noun);  // "1 case", "2 cases"

}  // namespace rotor
