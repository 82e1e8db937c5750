// Rows of tables and of the cache as the plain kernels see them: `row[j]` is element j in f32,
// whatever the bytes (kernels/packing.h says what they are).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/half.h"
#include "kernels/packing.h"

namespace rotor::cpu {

struct F32Row {
  static constexpr Packing kPacking = Packing::F32;
  const float* values;
  F32Row(const std::byte* bytes, std::size_t) : values(reinterpret_cast<const float*>(bytes)) {}
  float operator[](std::size_t j) const { return values[j]; }
};

struct Bf16Row {
  static constexpr Packing kPacking = Packing::Bf16;
  const std::uint16_t* values;
  Bf16Row(const std::byte* bytes, std::size_t)
      : values(reinterpret_cast<const std::uint16_t*>(bytes)) {}
  float operator[](std::size_t j) const { return bf16_to_f32(values[j]); }
};

struct F16Row {
  static constexpr Packing kPacking = Packing::F16;
  const std::uint16_t* values;
  F16Row(const std::byte* bytes, std::size_t)
      : values(reinterpret_cast<const std::uint16_t*>(bytes)) {}
  // Without branches, so that loops over it become vectors: shifting exponent and mantissa into
  // place makes a float 2^-112 times the value, subnormals included; infinity and NaN get their
  // exponent.
  float operator[](std::size_t j) const {
    const std::uint32_t magnitude = values[j] & 0x7FFFu;
    const std::uint32_t sign = (values[j] & 0x8000u) << 16;
    const std::uint32_t finite =
        std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f);
    const std::uint32_t special = magnitude >= 0x7C00u ? 0x7F800000u : 0u;
    return std::bit_cast<float>(finite | special | sign);
  }
};

struct Int8Row {
  static constexpr Packing kPacking = Packing::Int8Row;
  const std::int8_t* codes;
  float scale;
  Int8Row(const std::byte* bytes, std::size_t k)
      : codes(reinterpret_cast<const std::int8_t*>(bytes)) {
    std::memcpy(&scale, bytes + (k + 3) / 4 * 4, sizeof scale);
  }
  float operator[](std::size_t j) const { return static_cast<float>(codes[j]) * scale; }
};

struct Bits6Row {
  static constexpr Packing kPacking = Packing::Bits6Row;
  const std::byte* groups;
  Bits6Row(const std::byte* bytes, std::size_t) : groups(bytes) {}
  float operator[](std::size_t j) const {
    const std::byte* group = groups + j / 32 * 26;
    std::uint16_t scale;
    std::memcpy(&scale, group, sizeof scale);
    const std::byte* unit = group + 2 + (j % 32 / 16) * 12;
    const std::size_t e = j % 16;
    const unsigned low = std::to_integer<unsigned>(unit[e % 8]) >> (e / 8 * 4) & 15;
    const unsigned high = std::to_integer<unsigned>(unit[8 + e % 4]) >> (e / 4 * 2) & 3;
    return static_cast<float>(static_cast<int>(low + 16 * high) - 32) * f16_to_f32(scale);
  }
};

}  // namespace rotor::cpu
