// Strict JSON for untrusted files: a document as plain data. Duplicate keys are refused, depth and
// number of values are bounded, text must be valid UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rotor {

struct JsonMember;

// One JSON value. Numbers that are written as non-negative integers and fit are `std::uint64_t`,
// all others `double`.
struct Json {
  using Array = std::vector<Json>;
  using Object = std::vector<JsonMember>;  // in file order
  std::variant<std::monostate, bool, std::uint64_t, double, std::string, Array, Object> value;

  bool is_null() const { return std::holds_alternative<std::monostate>(value); }
  template <typename T>
  const T* get_if() const {
    return std::get_if<T>(&value);
  }
  // The member of this object, or null if there is none or this is not an object.
  const Json* find(std::string_view key) const;
};

struct JsonMember {
  std::string key;
  Json value;
};

struct JsonLimits {
  std::size_t depth = 16;         // nested arrays and objects
  std::size_t values = 1u << 20;  // values in the document
};

// Parses a whole document. Throws FormatError that begins with `name` and says what is wrong.
Json parse_json(std::string_view text, const std::string& name, const JsonLimits& limits = {});

// Text from a file for a message: in double quotes, shortened, control characters as '?'.
std::string quote(std::string_view text);

}  // namespace rotor
