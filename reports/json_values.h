// The values that reports are made of: written in order, and read with the place where they stand.
#pragma once

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"

namespace rotor {

using Json = nlohmann::ordered_json;
using ParsedJson = nlohmann::json;

std::string hex_seed(std::uint64_t value);

// Strict JSON has no NaN and no infinity.
Json json_number(double value);
Json json_number(const std::optional<double>& value);
Json finite_numbers(const std::map<std::string, double>& values);
Json text_or_null(const std::string& text);

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Times with a picosecond's resolution: shorter to read than 17 digits, finer than any clock.
double as_nanoseconds(double seconds);
double as_milliseconds(double seconds);
double as_seconds(double seconds);

template <typename T, typename Convert>
Json json_list(const std::vector<T>& values, Convert convert) {
  Json out = Json::array();
  for (const T& value : values) {
    if constexpr (std::is_floating_point_v<decltype(convert(value))>) {
      out.push_back(json_number(convert(value)));
    } else {
      out.push_back(convert(value));
    }
  }
  return out;
}

// null without a code.
Json reason_json(const std::string& code, const std::string& message);

// A value and where it stands, so that a message can name the place.
class JsonReader {
 public:
  JsonReader(const ParsedJson& value, std::string place)
      : value_(value), place_(std::move(place)) {}

  [[noreturn]] void fail(const std::string& what) const { throw FormatError(place_ + ": " + what); }
  bool has(const char* key) const {
    const auto found = object().find(key);
    return found != value_.end() && !found->is_null();
  }
  // A member that must be there.
  JsonReader at(const char* key) const {
    if (!has(key)) fail(std::string("\"") + key + "\" is missing");
    return {value_.at(key), place_ + "." + key};
  }
  template <typename T>
  T get() const {
    try {
      return value_.get<T>();
    } catch (const ParsedJson::exception&) {
      fail(std::string("has the wrong type (") + value_.type_name() + ")");
    }
  }
  template <typename T>
  T get(const char* key) const {
    return at(key).get<T>();
  }
  template <typename T>
  T get(const char* key, T otherwise) const {
    return has(key) ? at(key).get<T>() : otherwise;
  }
  template <typename T>
  std::optional<T> optional(const char* key) const {
    return has(key) ? std::optional<T>(at(key).get<T>()) : std::nullopt;
  }
  std::string text(const char* key) const { return get<std::string>(key, ""); }

  // 64-bit numbers are hex strings, with or without "0x".
  std::uint64_t hex(const char* key) const {
    if (!has(key)) return 0;
    const std::string digits = get<std::string>(key);
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(digits.c_str(), &end, 16);
    if (digits.empty() || *end != '\0') at(key).fail("is not a hexadecimal number: " + digits);
    return number;
  }
  // The name of an enumerator.
  template <typename T>
  T name(const char* key, std::optional<T> (*parse)(std::string_view)) const {
    const std::optional<T> value = parse(get<std::string>(key));
    if (!value) at(key).fail("unknown name \"" + get<std::string>(key) + "\"");
    return *value;
  }
  // Every element of an array that may be absent.
  template <typename Convert>
  auto list(const char* key, Convert convert) const {
    std::vector<decltype(convert(*this))> out;
    if (!has(key)) return out;
    const JsonReader array = at(key);
    if (!array.value_.is_array()) array.fail("is not an array");
    for (std::size_t i = 0; i < array.value_.size(); ++i) {
      out.push_back(
          convert(JsonReader(array.value_[i], array.place_ + "[" + std::to_string(i) + "]")));
    }
    return out;
  }
  // An object of scalars; other writers may keep numbers where we keep text.
  std::map<std::string, std::string> texts(const char* key) const {
    std::map<std::string, std::string> out;
    for (const auto& [name, value] : get<std::map<std::string, ParsedJson>>(key, {})) {
      out[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
    return out;
  }
  // Of the members of this object.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, value] : object().items()) out.push_back(name);
    return out;
  }
  std::map<std::string, double> numbers(const char* key) const {
    return get<std::map<std::string, double>>(key, {});
  }
  // Times in the unit of the file, as seconds.
  std::vector<double> times(const char* key, double seconds_per_unit) const {
    std::vector<double> out = get<std::vector<double>>(key, {});
    for (double& t : out) t *= seconds_per_unit;
    return out;
  }

 private:
  const ParsedJson& object() const {
    if (!value_.is_object()) fail("is not an object");
    return value_;
  }

  const ParsedJson& value_;
  std::string place_;
};

// The counterpart of reason_json, from the member "reason" of `in`: both stay as they are where there is none.
void read_reason(const JsonReader& in, std::string& code, std::string& message);

}  // namespace rotor
