// The texts of a safetensors folder: a container's header, config.json ("c" in front),
// generation_config.json ("g" in front).
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "core/error.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace {

// The smallest config.json that is accepted.
constexpr char kConfig[] =
    R"({"vocab_size":9,"hidden_size":8,"intermediate_size":8,"num_hidden_layers":1,)"
    R"("num_attention_heads":2,"quantization_config":{}})";

void parse_container(std::span<const std::byte> file) {
  std::size_t bytes = 0;
  for (const auto& tensor : rotor::parse_safetensors(file, "fuzz")) {
    bytes += tensor.bytes.size();
    if (!tensor.bytes.empty() && &tensor.bytes.back() > &file.back()) abort();
  }
  if (bytes > file.size()) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    if (text.starts_with('c')) {
      rotor::parse_config(text.substr(1), "", "fuzz");
    } else if (text.starts_with('g')) {
      rotor::parse_config(kConfig, text.substr(1), "fuzz");
    } else {
      parse_container(std::as_bytes(std::span(data, size)));
    }
  } catch (const rotor::FormatError&) {
    // what bad input should lead to
  }
  return 0;
}
