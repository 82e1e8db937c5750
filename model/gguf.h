// The GGUF container: key/value pairs and tensors, versions 2 and 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rotor {

// Value types of keys, as numbered by the format.
enum class GgufValueType : std::uint32_t {
  U8,
  I8,
  U16,
  I16,
  U32,
  I32,
  F32,
  Bool,
  String,
  Array,
  U64,
  I64,
  F64,
};

// Tensor types that rotor knows, as numbered by the format. I2_S is bitnet.cpp's; elsewhere 36
// means something else, so it counts only in a file with a BitNet architecture.
enum class GgufType : std::uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q8_0 = 8,
  Q6_K = 14,
  BF16 = 30,
  TQ1_0 = 34,
  TQ2_0 = 35,
  I2_S = 36,
};

struct GgufArray {
  GgufValueType type = GgufValueType::U8;
  std::uint64_t count = 0;
  std::vector<std::string_view> strings;  // of an array of strings
  std::span<const std::byte> numbers;     // of any other; unaligned, little-endian
};

// Integers of any width are widened to 64 bits, floats to double.
using GgufValue =
    std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufArray>;

struct GgufPair {
  std::string_view key;
  GgufValue value;
};

struct GgufTensor {
  std::string_view name;
  GgufType type;
  std::vector<std::uint64_t> shape;  // row-major: the file's dimension list reversed
  std::span<const std::byte> bytes;
};

// A parsed file. All views point into the file's bytes.
struct GgufFile {
  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::vector<GgufPair> pairs;      // in file order
  std::vector<GgufTensor> tensors;  // in file order

  // The value of a key, or null.
  const GgufValue* find(std::string_view key) const;
};

// Reads everything but the tensors' data and checks it: counts and lengths against the file's size,
// types, alignment, duplicate names, tensors inside the data section that do not overlap. Throws
// FormatError that begins with `name`.
GgufFile parse_gguf(std::span<const std::byte> file, const std::string& name);

// "I2_S"
std::string_view gguf_type_name(GgufType type);

// Bytes of a tensor of this shape (row-major); its rows must be whole blocks.
std::uint64_t gguf_tensor_bytes(GgufType type, std::span<const std::uint64_t> shape);

}  // namespace rotor
