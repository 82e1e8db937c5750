// How file formats store ternary matrices: bytes <-> trits. All store code = trit + 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/ternary.h"

namespace rotor {

enum class TernaryFormat : std::uint8_t {
  // Packed Hugging Face files: [P, k] bytes with P = ceil(n / 4); byte (r, c) holds column c of
  // rows
  // r, r + P, r + 2P, r + 3P in its 2-bit fields, lowest first. The scale is a tensor of its own.
  Strided,
  // bitnet.cpp, layout 128/32: the matrix as one sequence of trits in blocks of 128 = 32 bytes;
  // element j of a block is in byte j mod 32, field j div 32, highest field first. Then one f32
  // scale and 28 bytes that mean nothing.
  I2S,
  // llama.cpp: blocks of 256 trits of one row and an f16 scale. Tq1 has 5 trits in a byte, Tq2 4.
  Tq1,
  Tq2,
};

std::string_view ternary_format_name(TernaryFormat format);  // "packed", "i2_s"

// True if a matrix of this size has a place in the format: whole blocks.
bool fits(TernaryFormat format, std::uint32_t n, std::uint32_t k);

// Bytes of an n x k matrix that fits.
std::size_t stored_bytes(TernaryFormat format, std::uint32_t n, std::uint32_t k);

// The scale as the format keeps it: rounded to f16 by Tq1 and Tq2.
float stored_scale(TernaryFormat format, float scale);

struct StoredTernary {
  std::vector<std::int8_t> trits;  // [n, k]
  float scale;                     // as stored; 1 for Strided
};

// bytes: stored_bytes() of them. The trits are put into `memory`, whatever it held. Throws
// FormatError that begins with `where` on a code 3, or if the blocks of a matrix have different
// scales.
StoredTernary decode_ternary(TernaryFormat format, std::span<const std::byte> bytes,
                             std::uint32_t n, std::uint32_t k, const std::string& where,
                             std::vector<std::int8_t> memory = {});

// The inverse; Strided leaves the scale out. The matrix must fit and have a single scale.
std::vector<std::byte> encode_ternary(TernaryFormat format, const TernaryMatrix& matrix);

}  // namespace rotor
