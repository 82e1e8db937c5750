// Byte layouts of weights, tables and cache rows. No code outside kernels/ knows what the bytes
// mean. `pack_*` and `unpack_*` are inverses; one test runs that law for every packing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/ternary.h"

namespace rotor {

enum class Packing : std::uint8_t {
  None,  // the op has no packed buffer

  // Ternary weights. code = trit + 1. Rows are padded to a multiple of 16 with trit 0, columns to
  // activation_stride(k) with trit 0 (activations there are zero).
  Bits2,     // [n16][stride/16] u32: bits 8b+2j of word i hold the code of column 16i+4j+b, so
             // (word >> 2j) & 0x03030303 lines up with four consecutive activation bytes
  Bits2x16,  // [n16/16][stride/16][16] u32: the same words, 16 rows interleaved: one 64-byte load
             // holds 16 columns of 16 rows
  // Five columns a byte in base 3, 1.6 bits a weight: [n16/16][vectors][16][4] u8. Four vectors hold 80
  // columns: of byte b of vector v the digits of 1, 3, 9 and 27 are the codes of columns 16v+b, 16v+4+b,
  // 16v+8+b, 16v+12+b, and that of 81 is the code of column 64+4v+b. Columns behind the last 80 take a
  // vector for 16 of them, without the fifth digit.
  Trits5x16,
  Int8,     // [n16][stride] i8 trits
  Int8x16,  // [n16/16][stride/4][16][4] u8 codes: one 64-byte load holds 4 columns of 16 rows

  // Embedding and head tables, and cache rows: floats of one width...
  F32,
  F16,
  Bf16,
  // ... or int8 with one f32 scale per row, stored behind the row's codes (padded to 4 bytes).
  Int8Row,
  // ... or 6 bits with one f16 scale per 32 elements (padded with zeros): groups of 26 bytes, the scale
  // and twice 12 bytes of code + 32 for 16 elements. Byte b < 8 holds the low nibbles of elements b and
  // 8 + b; of the word behind them bits 8b+2j are the upper two bits of element 4j+b.
  Bits6Row,
};
inline constexpr std::size_t kPackingCount = 11;

std::string_view packing_name(Packing packing);  // "bits2x16"

// True for the packings of ternary matrices.
bool is_ternary(Packing packing);

// True for those that interleave groups of 16 rows.
constexpr bool interleaved(Packing packing) {
  return packing == Packing::Bits2x16 || packing == Packing::Trits5x16 ||
         packing == Packing::Int8x16;
}

// Columns up to which every kernel's sums are exact in int32. The tightest sum codes that lie in the
// upper bits of a byte, 64 times too large, in every fourth column: 64 * 2 * 128 / 4 * 2^18 = 2^30.
inline constexpr std::uint32_t kMaxColumns = 1u << 18;

// Ternary weights. Bytes of an n x k matrix; pack writes exactly these many, and throws FormatError
// if k is above kMaxColumns.
std::size_t packed_bytes(Packing packing, std::uint32_t n, std::uint32_t k);
void pack(const TernaryMatrix& matrix, Packing packing, std::span<std::byte> out);
std::vector<std::byte> pack(const TernaryMatrix& matrix, Packing packing);
// The same for matrices of equal k on top of each other, as stack_rows puts them, without a copy of
// their trits. Throws FormatError if the widths differ or the list is empty.
void pack(std::span<const TernaryMatrix> parts, Packing packing, std::span<std::byte> out);
// The trits back, [n, k] row-major. Throws FormatError on a code 3.
std::vector<std::int8_t> unpack(Packing packing, std::uint32_t n, std::uint32_t k,
                                std::span<const std::byte> bytes);

// Table and cache rows of k floats: bytes of one row, and the conversion both ways. Int8Row rounds
// to nearest even with scale = max|x| / 127; the 16-bit formats round to nearest even. Bits6Row maps the
// element of the largest magnitude of a group to -32, so its scale is negative where that is positive.
// Int8Row rows without a magnitude of at least kSmallestRowMagnitude get codes 0: 127 / max|x| would
// overflow.
inline constexpr float kSmallestRowMagnitude = 0x1p-120f;
std::size_t row_bytes(Packing packing, std::uint32_t k);
void encode_row(Packing packing, std::span<const float> values, std::span<std::byte> out);
void decode_row(Packing packing, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace rotor
