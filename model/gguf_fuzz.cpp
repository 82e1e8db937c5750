// The GGUF container, and the keys that describe the model and the tokenizer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "core/error.h"
#include "model/gguf.h"
#include "model/gguf_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  try {
    const rotor::GgufFile gguf = rotor::parse_gguf(file, "fuzz");
    std::size_t bytes = 0;
    for (const auto& tensor : gguf.tensors) bytes += tensor.bytes.size();
    if (bytes > size) abort();  // tensors would overlap
    rotor::read_gguf_config(gguf, "fuzz");
    rotor::read_gguf_tokenizer(gguf, "fuzz");
  } catch (const rotor::FormatError&) {
    // what bad input should lead to
  }
  return 0;
}
