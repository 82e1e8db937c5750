#include "reports/json_values.h"

#include <cmath>

namespace rotor {

std::string hex_seed(std::uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

Json json_number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

Json json_number(const std::optional<double>& value) {
  return value ? json_number(*value) : Json(nullptr);
}

Json finite_numbers(const std::map<std::string, double>& values) {
  Json out = Json::object();
  for (const auto& [name, value] : values) {
    if (std::isfinite(value)) out[name] = value;
  }
  return out;
}

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

double as_nanoseconds(double seconds) {
  return std::round(seconds * 1e12) / 1e3;
}

double as_milliseconds(double seconds) {
  return std::round(seconds * 1e9) / 1e6;
}

double as_seconds(double seconds) {
  return std::round(seconds * 1e6) / 1e6;
}

Json reason_json(const std::string& code, const std::string& message) {
  if (code.empty()) return nullptr;
  return {{"code", code}, {"message", message}};
}

void read_reason(const JsonReader& in, std::string& code, std::string& message) {
  if (!in.has("reason")) return;
  code = in.at("reason").get<std::string>("code");
  message = in.at("reason").get<std::string>("message");
}

}  // namespace rotor
