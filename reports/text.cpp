#include "reports/text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace rotor {
namespace {

bool begins_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::string printed(int decimals, double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

}  // namespace

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

std::string pad_right(std::string_view text, std::size_t columns) {
  const std::size_t have = columns_of(text);
  return std::string(text) + std::string(columns > have ? columns - have : 0, ' ');
}

std::string pad_left(std::string_view text, std::size_t columns) {
  const std::size_t have = columns_of(text);
  return std::string(columns > have ? columns - have : 0, ' ') + std::string(text);
}

std::string clip(std::string_view text, std::size_t columns) {
  if (columns_of(text) <= columns) return std::string(text);
  std::size_t seen = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if (begins_character(text[end]) && ++seen == columns) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    // C1, two bytes in UTF-8, has a beginning of escape sequences of its own.
    const bool c1 =
        c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    const bool c0 = (c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F;
    if (c0 || c1) {
      out += "\uFFFD";
      i += c1;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string show_number(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  // As many decimals as leave `digits` digits after rounding.
  int decimals = digits - 1;
  double limit = 10 - 0.5 * std::pow(10, -decimals);
  while (decimals > 0 && std::fabs(value) >= limit) {
    --decimals;
    limit = std::pow(10, digits - decimals) - 0.5 * std::pow(10, -decimals);
  }
  return printed(decimals, value);
}

std::string show_seconds(double seconds, int digits) {
  // From here on rounding gives the next unit's 1.
  const double one = 1 - 0.5 * std::pow(10, -digits);
  if (seconds >= one) return show_number(seconds, digits) + " s";
  if (seconds >= one * 1e-3) return show_number(seconds * 1e3, digits) + " ms";
  return show_number(seconds * 1e6, digits) + " µs";
}

std::string show_percent(double fraction) {
  if (!std::isfinite(fraction)) return "-";
  return printed(std::fabs(fraction) < 0.0995 ? 1 : 0, 100 * fraction) + "%";
}

std::string show_bytes(std::uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value == std::floor(value) || value >= 100;
  return printed(whole ? 0 : 1, value) + " " + kUnits[unit];
}

std::string count_of(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace rotor
