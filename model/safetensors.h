// The safetensors container (spec of the format: header length, JSON header, data section).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rotor {

// A tensor in a container. `bytes` points into the file.
struct StoredTensor {
  std::string name;
  std::string_view dtype;            // as the format spells it: "BF16", "U8", ...
  std::vector<std::uint64_t> shape;  // row-major
  std::span<const std::byte> bytes;  // little-endian; no alignment is promised
};

// Reads the header and checks everything that the reference parser checks: sizes, types, no holes,
// no overlaps, no trailing bytes, no duplicate names. Throws FormatError that begins with `name`.
std::vector<StoredTensor> parse_safetensors(std::span<const std::byte> file,
                                            const std::string& name);

// "[640, 2560]"
std::string shape_text(std::span<const std::uint64_t> shape);

}  // namespace rotor
