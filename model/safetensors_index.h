// model.safetensors.index.json: which file of a sharded checkpoint holds which tensor.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace rotor {

// Tensor name -> bare file name. File names are untrusted: anything but a plain name in the same
// folder is refused. Throws FormatError that begins with `name`.
std::map<std::string, std::string> parse_index(std::string_view text, const std::string& name);

}  // namespace rotor
