#include "reports/schema.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/error.h"

namespace rotor {
namespace {

using Json = nlohmann::json;

Json parse(std::string_view text, const std::string& name) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw FormatError(name + ": not JSON at byte " + std::to_string(error.byte));
  }
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
  }
  throw FormatError("schema: unknown type " + type);
}

class Validator {
 public:
  explicit Validator(const Json& schema) : root_(schema) {}

  void check(const Json& schema, const Json& value, const std::string& place) {
    if (schema.is_boolean()) {
      if (!schema.get<bool>()) report(place, "is not allowed here");
      return;
    }
    for (const auto& [keyword, argument] : schema.items()) {
      check_keyword(schema, keyword, argument, value, place);
    }
  }
  std::vector<std::string> violations;

 private:
  using Check = void (Validator::*)(const Json& argument, const Json& value,
                                    const std::string& place);

  void report(const std::string& place, const std::string& what) {
    violations.push_back((place.empty() ? "/" : place) + ": " + what);
  }

  bool is_valid(const Json& schema, const Json& value) {
    Validator trial(root_);
    trial.check(schema, value, "");
    return trial.violations.empty();
  }

  void check_keyword(const Json& schema, const std::string& keyword, const Json& argument,
                     const Json& value, const std::string& place) {
    static const std::map<std::string, Check> checks = {
        {"type", &Validator::check_type},
        {"required", &Validator::check_required},
        {"properties", &Validator::check_properties},
        {"items", &Validator::check_items},
        {"enum", &Validator::check_enum},
        {"const", &Validator::check_const},
        {"pattern", &Validator::check_pattern},
        {"minimum", &Validator::check_minimum},
        {"maximum", &Validator::check_maximum},
        {"exclusiveMinimum", &Validator::check_exclusive_minimum},
        {"minItems", &Validator::check_min_items},
        {"maxItems", &Validator::check_max_items},
        {"$ref", &Validator::check_ref},
        {"anyOf", &Validator::check_any_of},
        {"allOf", &Validator::check_all_of},
    };
    static const std::vector<std::string> silent = {"$schema", "$id",  "title", "description",
                                                    "$defs",   "then", "else"};
    if (const auto found = checks.find(keyword); found != checks.end()) {
      (this->*found->second)(argument, value, place);
    } else if (keyword == "additionalProperties") {
      check_additional(schema, argument, value, place);
    } else if (keyword == "if") {
      const char* branch = is_valid(argument, value) ? "then" : "else";
      if (schema.contains(branch)) check(schema.at(branch), value, place);
    } else if (std::find(silent.begin(), silent.end(), keyword) == silent.end()) {
      throw FormatError("schema: keyword \"" + keyword + "\" is not known here");
    }
  }

  void check_type(const Json& type, const Json& value, const std::string& place) {
    const std::vector<std::string> types = type.is_array() ? type.get<std::vector<std::string>>()
                                                           : std::vector{type.get<std::string>()};
    for (const std::string& t : types) {
      if (has_type(value, t)) return;
    }
    report(place, "is of type " + std::string(value.type_name()) + ", not " + type.dump());
  }
  void check_required(const Json& keys, const Json& value, const std::string& place) {
    if (!value.is_object()) return;
    for (const std::string& key : keys.get<std::vector<std::string>>()) {
      if (!value.contains(key)) report(place, "\"" + key + "\" is missing");
    }
  }
  void check_properties(const Json& properties, const Json& value, const std::string& place) {
    if (!value.is_object()) return;
    for (const auto& [key, schema] : properties.items()) {
      if (value.contains(key)) check(schema, value.at(key), place + "/" + key);
    }
  }
  void check_additional(const Json& schema, const Json& argument, const Json& value,
                        const std::string& place) {
    if (!value.is_object()) return;
    for (const auto& [key, member] : value.items()) {
      if (schema.contains("properties") && schema.at("properties").contains(key)) continue;
      check(argument, member, place + "/" + key);
    }
  }
  void check_items(const Json& schema, const Json& value, const std::string& place) {
    if (!value.is_array()) return;
    for (std::size_t i = 0; i < value.size(); ++i) {
      check(schema, value[i], place + "/" + std::to_string(i));
    }
  }
  void check_enum(const Json& choices, const Json& value, const std::string& place) {
    if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
      report(place, value.dump() + " is not one of " + choices.dump());
    }
  }
  void check_const(const Json& wanted, const Json& value, const std::string& place) {
    if (value != wanted) report(place, value.dump() + " is not " + wanted.dump());
  }
  void check_pattern(const Json& pattern, const Json& value, const std::string& place) {
    if (!value.is_string()) return;
    const std::string text = pattern.get<std::string>();
    auto found = patterns_.find(text);
    if (found == patterns_.end()) found = patterns_.emplace(text, std::regex(text)).first;
    if (!std::regex_search(value.get<std::string>(), found->second)) {
      report(place, value.dump() + " does not match " + text);
    }
  }
  void check_minimum(const Json& limit, const Json& value, const std::string& place) {
    if (value.is_number() && value < limit) report(place, value.dump() + " < " + limit.dump());
  }
  void check_maximum(const Json& limit, const Json& value, const std::string& place) {
    if (value.is_number() && value > limit) report(place, value.dump() + " > " + limit.dump());
  }
  void check_exclusive_minimum(const Json& limit, const Json& value, const std::string& place) {
    if (value.is_number() && value <= limit) report(place, value.dump() + " <= " + limit.dump());
  }
  void check_min_items(const Json& limit, const Json& value, const std::string& place) {
    if (value.is_array() && value.size() < limit) report(place, "has too few elements");
  }
  void check_max_items(const Json& limit, const Json& value, const std::string& place) {
    if (value.is_array() && value.size() > limit) report(place, "has too many elements");
  }
  void check_ref(const Json& reference, const Json& value, const std::string& place) {
    const std::string pointer = reference.get<std::string>();
    if (!pointer.starts_with("#")) throw FormatError("schema: reference to " + pointer);
    check(root_.at(Json::json_pointer(pointer.substr(1))), value, place);
  }
  void check_any_of(const Json& choices, const Json& value, const std::string& place) {
    Validator best(root_);
    for (std::size_t i = 0; i < choices.size(); ++i) {
      Validator trial(root_);
      trial.check(choices[i], value, place);
      if (trial.violations.empty()) return;
      best.violations = std::move(trial.violations);
    }
    // The last choice is the one with substance; "null" comes first in our schema.
    violations.insert(violations.end(), best.violations.begin(), best.violations.end());
  }
  void check_all_of(const Json& parts, const Json& value, const std::string& place) {
    for (const Json& part : parts) check(part, value, place);
  }

  const Json& root_;
  std::map<std::string, std::regex> patterns_;
};

}  // namespace

std::vector<std::string> schema_violations(std::string_view schema_text,
                                           std::string_view document_text) {
  const Json schema = parse(schema_text, "schema");
  const Json document = parse(document_text, "document");
  Validator validator(schema);
  validator.check(schema, document, "");
  return validator.violations;
}

}  // namespace rotor
