// The index of a sharded checkpoint: no file name that leaves the folder may come out.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "model/safetensors_index.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const auto& [tensor, file] : rotor::parse_index(text, "fuzz")) {
      if (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos)
        abort();
    }
  } catch (const rotor::FormatError&) {
    // what bad input should lead to
  }
  return 0;
}
