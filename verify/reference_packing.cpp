#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include <Eigen/Core>

#include "core/error.h"
#include "verify/reference.h"

// The text of kernels/packing.h, turned into code a second time: what the bytes mean is checked
// here, not assumed from the packer.

namespace rotor::reference {
namespace {

// Columns of a packed row: k rounded up to 64.
std::size_t padded(std::uint32_t k) {
  return (std::size_t{k} + 63) / 64 * 64;
}

std::uint32_t word_at(std::span<const std::byte> bytes, std::size_t index) {
  std::uint32_t word;
  std::memcpy(&word, bytes.data() + index * sizeof word, sizeof word);
  return word;
}

// Column 16i + 4j + b of a row is in bits 8b + 2j of word i.
unsigned code_in_word(std::uint32_t word, std::size_t column) {
  const std::size_t j = column % 16 / 4;
  const std::size_t b = column % 4;
  return (word >> (8 * b + 2 * j)) & 3u;
}

// Five digits of base 3 in a byte: in each whole 80 columns the last 16 are the highest digits of the
// 64 before them, four to a vector; behind the last whole 80, bytes have four digits.
unsigned digit_at(std::span<const std::byte> bytes, std::size_t row, std::size_t column,
                  std::size_t columns) {
  const std::size_t vectors = columns / 80 * 4 + columns % 80 / 16;
  const std::size_t block = column / 80, in_block = column % 80;
  const bool whole = (block + 1) * 80 <= columns, highest = in_block >= 64;
  const std::size_t vector = 4 * block + (highest ? (in_block - 64) / 4 : in_block / 16);
  unsigned value = std::to_integer<unsigned>(
      bytes[((row / 16 * vectors + vector) * 16 + row % 16) * 4 + column % 4]);
  if (highest) return value / 81;
  if (whole) value %= 81;
  for (std::size_t digit = 0; digit < in_block % 16 / 4; ++digit) value /= 3;
  return in_block % 16 / 4 == 3 ? value : value % 3;
}

// trit + 1.
unsigned code_at(Packing packing, std::span<const std::byte> bytes, std::size_t row,
                 std::size_t column, std::size_t columns) {
  switch (packing) {
    case Packing::Bits2:  // [n16][columns / 16]
      return code_in_word(word_at(bytes, row * (columns / 16) + column / 16), column);
    case Packing::Bits2x16:  // [n16 / 16][columns / 16][16]
      return code_in_word(word_at(bytes, (row / 16 * (columns / 16) + column / 16) * 16 + row % 16),
                          column);
    case Packing::Trits5x16:  // [n16 / 16][vectors][16][4] digits
      return digit_at(bytes, row, column, columns);
    case Packing::Int8:  // [n16][columns] trits
      return static_cast<unsigned>(static_cast<std::int8_t>(bytes[row * columns + column]) + 1);
    case Packing::Int8x16:  // [n16 / 16][columns / 4][16][4] codes
      return std::to_integer<unsigned>(
          bytes[((row / 16 * (columns / 4) + column / 4) * 16 + row % 16) * 4 + column % 4]);
    default:
      throw UsageError("packing " + std::string(packing_name(packing)) + " is not ternary");
  }
}

template <typename Half>
std::vector<float> decode_halves(std::span<const std::byte> bytes, std::uint32_t k) {
  std::vector<float> values(k);
  for (std::uint32_t j = 0; j < k; ++j) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes.data() + 2 * std::size_t{j}, sizeof bits);
    values[j] = static_cast<float>(Eigen::numext::bit_cast<Half>(bits));
  }
  return values;
}

template <typename Half>
std::vector<std::byte> encode_halves(std::span<const float> values) {
  std::vector<std::byte> bytes(2 * values.size());
  for (std::size_t j = 0; j < values.size(); ++j) {
    const auto bits = Eigen::numext::bit_cast<std::uint16_t>(Half(values[j]));
    std::memcpy(bytes.data() + 2 * j, &bits, sizeof bits);
  }
  return bytes;
}

// Codes padded to 4 bytes, then the row's scale.
std::size_t scale_offset(std::size_t k) {
  return (k + 3) / 4 * 4;
}

std::vector<std::byte> encode_int8_row(std::span<const float> values) {
  std::vector<std::byte> bytes(scale_offset(values.size()) + sizeof(float));
  float top = 0;
  for (const float v : values) top = std::max(top, std::fabs(v));
  const float scale = top / 127;
  for (std::size_t j = 0; j < values.size(); ++j) {
    const double code = top > 0 ? std::nearbyint(127.0 * values[j] / top) : 0;
    bytes[j] = static_cast<std::byte>(static_cast<std::int8_t>(code));
  }
  std::memcpy(bytes.data() + scale_offset(values.size()), &scale, sizeof scale);
  return bytes;
}

std::vector<float> decode_int8_row(std::span<const std::byte> bytes, std::uint32_t k) {
  float scale;
  std::memcpy(&scale, bytes.data() + scale_offset(k), sizeof scale);
  std::vector<float> values(k);
  for (std::uint32_t j = 0; j < k; ++j) {
    values[j] = static_cast<float>(static_cast<std::int8_t>(bytes[j])) * scale;
  }
  return values;
}

// 26 bytes hold 32 elements: an f16 scale, and twice eight bytes of nibbles and four of upper bits.
std::vector<float> decode_six_bit_row(std::span<const std::byte> bytes, std::uint32_t k) {
  std::vector<float> values(k);
  for (std::size_t j = 0; j < k; ++j) {
    const std::byte* group = bytes.data() + j / 32 * 26;
    Eigen::half scale;
    std::memcpy(&scale, group, sizeof scale);
    const std::byte* unit = group + (j % 32 < 16 ? 2 : 14);
    const std::size_t e = j % 16;
    const int nibbles = std::to_integer<int>(unit[e % 8]);
    const int low = e < 8 ? nibbles % 16 : nibbles / 16;
    const int high = std::to_integer<int>(unit[8 + e % 4]) >> (2 * (e / 4)) & 3;
    values[j] = static_cast<float>(16 * high + low - 32) * static_cast<float>(scale);
  }
  return values;
}

std::vector<std::byte> encode_six_bit_row(std::span<const float> values) {
  std::vector<std::byte> bytes((values.size() + 31) / 32 * 26);
  for (std::size_t first = 0; first < bytes.size() / 26 * 32; first += 32) {
    const std::size_t count = std::min<std::size_t>(32, values.size() - first);
    const auto group = values.subspan(first, count);
    const auto extreme = std::max_element(
        group.begin(), group.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
    const auto scale = static_cast<Eigen::half>(*extreme / -32);
    std::byte* out = bytes.data() + first / 32 * 26;
    std::memcpy(out, &scale, sizeof scale);
    for (std::size_t j = 0; j < 32; ++j) {
      const auto step = static_cast<float>(scale);
      float q = j < count && step != 0 ? std::nearbyint(group[j] / step) : 0;
      q = std::clamp(q, -32.0f, 31.0f);
      const auto code = static_cast<unsigned>(q + 32);
      std::byte* unit = out + (j < 16 ? 2 : 14);
      const std::size_t e = j % 16;
      unit[e % 8] |= static_cast<std::byte>((code & 15) << (e < 8 ? 0 : 4));
      unit[8 + e % 4] |= static_cast<std::byte>((code >> 4) << (2 * (e / 4)));
    }
  }
  return bytes;
}

}  // namespace

std::vector<std::int8_t> decode_ternary(Packing packing, std::uint32_t n, std::uint32_t k,
                                        std::span<const std::byte> bytes) {
  std::vector<std::int8_t> trits(std::size_t{n} * k);
  for (std::size_t row = 0; row < n; ++row) {
    for (std::size_t column = 0; column < k; ++column) {
      const unsigned code = code_at(packing, bytes, row, column, padded(k));
      if (code > 2) {
        throw FormatError("packed weights: row " + std::to_string(row) + ", column " +
                          std::to_string(column) + " holds code " + std::to_string(code));
      }
      trits[row * k + column] = static_cast<std::int8_t>(static_cast<int>(code) - 1);
    }
  }
  return trits;
}

std::vector<float> decode_row(Packing packing, std::uint32_t k, std::span<const std::byte> bytes) {
  switch (packing) {
    case Packing::F32: {
      std::vector<float> values(k);
      std::memcpy(values.data(), bytes.data(), std::size_t{k} * sizeof(float));
      return values;
    }
    case Packing::F16:
      return decode_halves<Eigen::half>(bytes, k);
    case Packing::Bf16:
      return decode_halves<Eigen::bfloat16>(bytes, k);
    case Packing::Int8Row:
      return decode_int8_row(bytes, k);
    case Packing::Bits6Row:
      return decode_six_bit_row(bytes, k);
    default:
      throw UsageError("packing " + std::string(packing_name(packing)) + " has no float rows");
  }
}

std::vector<std::byte> encode_row(Packing packing, std::span<const float> values) {
  switch (packing) {
    case Packing::F32: {
      const auto bytes = std::as_bytes(values);
      return {bytes.begin(), bytes.end()};
    }
    case Packing::F16:
      return encode_halves<Eigen::half>(values);
    case Packing::Bf16:
      return encode_halves<Eigen::bfloat16>(values);
    case Packing::Int8Row:
      return encode_int8_row(values);
    case Packing::Bits6Row:
      return encode_six_bit_row(values);
    default:
      throw UsageError("packing " + std::string(packing_name(packing)) + " has no float rows");
  }
}

}  // namespace rotor::reference
