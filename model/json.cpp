#include "model/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace rotor {
namespace {

// Builds the document from parser events. nlohmann's own tree would keep the last of two equal keys
// and has no limits.
class Builder : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(const std::string& name, const JsonLimits& limits) : name_(name), limits_(limits) {}

  Json take() { return std::move(root_); }

  bool null() override { return add(Json{}); }
  bool boolean(bool v) override { return add(Json{v}); }
  bool number_integer(number_integer_t v) override { return add(Json{static_cast<double>(v)}); }
  bool number_unsigned(number_unsigned_t v) override {
    return add(Json{static_cast<std::uint64_t>(v)});
  }
  bool number_float(number_float_t v, const string_t&) override { return add(Json{v}); }
  bool string(string_t& v) override { return add(Json{std::move(v)}); }
  bool binary(binary_t&) override { throw FormatError(name_ + ": binary value in JSON"); }
  bool start_object(std::size_t) override { return open(Json{Json::Object{}}); }
  bool start_array(std::size_t) override { return open(Json{Json::Array{}}); }
  bool key(string_t& v) override {
    std::get<Json::Object>(open_.back()->value).push_back({std::move(v), {}});
    return true;
  }
  bool end_object() override {
    refuse_duplicates(std::get<Json::Object>(open_.back()->value));
    open_.pop_back();
    return true;
  }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    throw FormatError(name_ + ": not valid JSON at byte " + std::to_string(position));
  }

 private:
  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  // Only the innermost open container grows, so pointers to the outer ones stay valid.
  Json* place(Json value) {
    if (++values_ > limits_.values) {
      throw FormatError(name_ + ": more than " + std::to_string(limits_.values) + " JSON values");
    }
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (auto* array = std::get_if<Json::Array>(&open_.back()->value)) {
      array->push_back(std::move(value));
      return &array->back();
    }
    Json& slot = std::get<Json::Object>(open_.back()->value).back().value;
    slot = std::move(value);
    return &slot;
  }

  bool open(Json container) {
    if (open_.size() == limits_.depth) {
      throw FormatError(name_ + ": JSON nested deeper than " + std::to_string(limits_.depth));
    }
    open_.push_back(place(std::move(container)));
    return true;
  }

  void refuse_duplicates(const Json::Object& members) const {
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const JsonMember& member : members) keys.push_back(member.key);
    std::sort(keys.begin(), keys.end());
    const auto twin = std::adjacent_find(keys.begin(), keys.end());
    if (twin != keys.end()) {
      throw FormatError(name_ + ": JSON key " + quote(*twin) + " appears twice");
    }
  }

  const std::string& name_;
  const JsonLimits& limits_;
  Json root_;
  std::vector<Json*> open_;  // containers being filled, outermost first
  std::size_t values_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view key) const {
  const auto* members = get_if<Object>();
  if (members == nullptr) return nullptr;
  const auto it = std::find_if(members->begin(), members->end(),
                               [&](const JsonMember& m) { return m.key == key; });
  return it == members->end() ? nullptr : &it->value;
}

std::string quote(std::string_view text) {
  constexpr std::size_t kMaxBytes = 120;
  std::string result = "\"";
  for (const char c : text.substr(0, kMaxBytes)) {
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  }
  return result + (text.size() > kMaxBytes ? "...\"" : "\"");
}

Json parse_json(std::string_view text, const std::string& name, const JsonLimits& limits) {
  Builder builder(name, limits);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

}  // namespace rotor
