// How files store rows of the embedding and the head: floats of three widths, or blocks of small
// integers with an f16 scale (the block types of ggml).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/packing.h"

namespace rotor {

enum class TableFormat : std::uint8_t {
  F32,
  F16,
  Bf16,
  Q8_0,  // 32 elements: f16 d, int8 q[32]; w = d * q
  Q4_0,  // 32 elements: f16 d, 16 bytes; low nibbles are elements 0..15; w = d * (nibble - 8)
  Q6_K,  // 256 elements: 6-bit q, int8 scale of each 16, f16 d; w = d * scale * (q - 32)
};

std::string_view table_format_name(TableFormat format);  // "q6_k"

// Elements that a block holds; a row must be whole blocks.
std::uint32_t block_elements(TableFormat format);
// Bytes of a row of k elements.
std::size_t table_row_bytes(TableFormat format, std::uint32_t k);

// The format of the runtime's tables with the same bytes; only for F32, F16 and Bf16.
Packing table_packing(TableFormat format);
bool is_float(TableFormat format);

// One row of k elements, both ways. Encoding rounds to the nearest that the block's scales allow.
void decode_table_row(TableFormat format, std::span<const std::byte> bytes, std::span<float> out);
void encode_table_row(TableFormat format, std::span<const float> values, std::span<std::byte> out);

}  // namespace rotor
