#include "model/safetensors_index.h"

#include "core/error.h"
#include "model/json.h"

namespace rotor {
namespace {

constexpr std::size_t kMaxTensors = 65536;

bool is_bare_name(const std::string& file) {
  return !file.empty() && file.size() <= 255 && file.front() != '.' &&
         file.find_first_of("/\\:") == std::string::npos && file.find('\0') == std::string::npos;
}

}  // namespace

std::map<std::string, std::string> parse_index(std::string_view text, const std::string& name) {
  const Json index = parse_json(text, name, {.depth = 4});
  const Json* map = index.find("weight_map");
  const auto* members = map == nullptr ? nullptr : map->get_if<Json::Object>();
  if (members == nullptr) throw FormatError(name + ": \"weight_map\" is missing or not an object");
  if (members->empty() || members->size() > kMaxTensors) {
    throw FormatError(name + ": " + std::to_string(members->size()) +
                      " tensors in \"weight_map\", expected 1 to " + std::to_string(kMaxTensors));
  }
  std::map<std::string, std::string> files;
  for (const JsonMember& member : *members) {
    const auto* file = member.value.get_if<std::string>();
    if (file == nullptr || !is_bare_name(*file)) {
      throw FormatError(name + ": tensor " + quote(member.key) + " is mapped to " +
                        (file == nullptr ? "something else than a file" : quote(*file)) +
                        "; expected the name of a file in the same folder");
    }
    files.emplace(member.key, *file);
  }
  return files;
}

}  // namespace rotor
