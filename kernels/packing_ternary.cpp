// Ternary matrices: trits -> codes -> bytes, and back.

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"
#include "kernels/ops.h"
#include "kernels/packing.h"
#include "kernels/two_bit_words.h"

namespace rotor {
namespace {

constexpr std::uint32_t kRowGroup = 16;  // rows are padded to, and interleaved by, this many

std::size_t padded_rows(std::uint32_t n) {
  return (std::size_t{n} + kRowGroup - 1) / kRowGroup * kRowGroup;
}

// One row of codes (trit + 1), padded to `stride` with the code of trit 0.
void row_codes(std::span<const std::int8_t> trits, std::span<std::uint8_t> codes) {
  std::transform(trits.begin(), trits.end(), codes.begin(),
                 [](std::int8_t t) { return static_cast<std::uint8_t>(t + 1); });
  std::fill(codes.begin() + static_cast<std::ptrdiff_t>(trits.size()), codes.end(),
            std::uint8_t{1});
}

// Trits5x16: columns of four whole vectors, and what the fifth digit of a byte counts.
constexpr std::size_t kTritBlock = 80;
constexpr unsigned kFifth = 81;

std::size_t trit_vectors(std::size_t stride) {
  return stride / kTritBlock * 4 + stride % kTritBlock / 16;
}

// A row of Trits5x16, whose vectors are 64 bytes apart. Four bytes at a time, as one number: no sum of
// digits passes 242, so none carries into its neighbour.
void pack_trit_row(std::span<const std::uint8_t> codes, std::byte* out) {
  const std::size_t whole = codes.size() / kTritBlock * kTritBlock;
  for (std::size_t first = 0; first < codes.size(); first += 16) {
    if (first < whole && first % kTritBlock == 64) continue;  // fifth digits
    std::uint32_t digits[5] = {};
    std::memcpy(digits, codes.data() + first, 16);
    if (first < whole) {
      const std::size_t fifth = first / kTritBlock * kTritBlock + 64 + first % kTritBlock / 4;
      std::memcpy(digits + 4, codes.data() + fifth, 4);
    }
    const std::uint32_t bytes =
        digits[0] + 3 * digits[1] + 9 * digits[2] + 27 * digits[3] + kFifth * digits[4];
    std::memcpy(out, &bytes, sizeof bytes);
    out += 4 * kRowGroup;
  }
}

// The digits back; a byte that no codes make gives a code above 2.
void unpack_trit_row(const std::byte* bytes, std::span<std::uint8_t> codes) {
  const std::size_t whole = codes.size() / kTritBlock * kTritBlock;
  for (std::size_t first = 0; first < codes.size(); first += 16) {
    if (first < whole && first % kTritBlock == 64) continue;
    for (std::size_t b = 0; b < 4; ++b) {
      unsigned rest = std::to_integer<unsigned>(bytes[b]);
      if (first < whole) {
        const std::size_t fifth = first / kTritBlock * kTritBlock + 64 + first % kTritBlock / 4;
        codes[fifth + b] = static_cast<std::uint8_t>(rest / kFifth);
        rest %= kFifth;
      }
      codes[first + b] = static_cast<std::uint8_t>(rest % 3);
      codes[first + 4 + b] = static_cast<std::uint8_t>(rest / 3 % 3);
      codes[first + 8 + b] = static_cast<std::uint8_t>(rest / 9 % 3);
      codes[first + 12 + b] = static_cast<std::uint8_t>(rest / 27);
    }
    bytes += 4 * kRowGroup;
  }
}

// Where 16 (Bits2*) or 4 (Int8*) consecutive columns of a row, or its part of a vector (Trits5x16), lie in
// the packed bytes.
std::size_t piece_offset(Packing packing, std::size_t row, std::size_t piece, std::size_t stride) {
  const std::size_t group = row / kRowGroup;
  const std::size_t lane = row % kRowGroup;
  switch (packing) {
    case Packing::Bits2:
      return (row * (stride / 16) + piece) * 4;
    case Packing::Bits2x16:
      return ((group * (stride / 16) + piece) * kRowGroup + lane) * 4;
    case Packing::Trits5x16:
      return ((group * trit_vectors(stride) + piece) * kRowGroup + lane) * 4;
    case Packing::Int8:
      return row * stride + piece * 4;
    case Packing::Int8x16:
      return ((group * (stride / 4) + piece) * kRowGroup + lane) * 4;
    default:
      throw UsageError("packing " + std::string(packing_name(packing)) + " is not ternary");
  }
}

bool is_bits2(Packing packing) {
  return packing == Packing::Bits2 || packing == Packing::Bits2x16;
}

// Packs a ternary matrix row by row.
class RowPacker {
 public:
  RowPacker(Packing packing, std::uint32_t k, std::span<std::byte> out)
      : packing_(packing), codes_(activation_stride(k)), out_(out) {}

  void add(std::span<const std::int8_t> trits) {
    row_codes(trits, codes_);
    const std::size_t stride = codes_.size();
    // Pieces of a row are equally far apart. Asking where each one lies took twice as long.
    std::byte* out = out_.data() + piece_offset(packing_, row_, 0, stride);
    const std::size_t step =
        piece_offset(packing_, row_, 1, stride) - piece_offset(packing_, row_, 0, stride);
    ++row_;
    const std::uint8_t* codes = codes_.data();
    if (is_bits2(packing_)) {
      for (std::size_t piece = 0; piece < stride / 16; ++piece) {
        const std::uint32_t word = pack_word(codes + 16 * piece);
        std::memcpy(out + piece * step, &word, sizeof word);
      }
      return;
    }
    if (packing_ == Packing::Trits5x16) return pack_trit_row(codes_, out);
    if (packing_ == Packing::Int8) {  // trits, not codes
      for (std::uint8_t& c : codes_) c = static_cast<std::uint8_t>(c - 1);
    }
    for (std::size_t piece = 0; piece < stride / 4; ++piece) {
      std::memcpy(out + piece * step, codes + 4 * piece, 4);
    }
  }

  // Rows of zeros up to a whole group.
  void pad() {
    while (row_ % kRowGroup != 0) add({});
  }

 private:
  Packing packing_;
  std::vector<std::uint8_t> codes_;  // [stride] of the row that is being packed
  std::span<std::byte> out_;
  std::size_t row_ = 0;
};

}  // namespace

std::size_t packed_bytes(Packing packing, std::uint32_t n, std::uint32_t k) {
  if (packing == Packing::F32) return std::size_t{n} * k * 4;
  if (packing == Packing::Trits5x16) return padded_rows(n) * trit_vectors(activation_stride(k)) * 4;
  return padded_rows(n) * activation_stride(k) / (is_bits2(packing) ? 4 : 1);
}

void pack(std::span<const TernaryMatrix> parts, Packing packing, std::span<std::byte> out) {
  if (parts.empty()) throw FormatError("no matrices to pack");
  const std::uint32_t k = parts.front().k();
  if (k > kMaxColumns) {
    throw FormatError("ternary matrix: " + std::to_string(k) +
                      " columns are too many; kernels are exact up to " +
                      std::to_string(kMaxColumns));
  }
  RowPacker packer(packing, k, out);
  for (const TernaryMatrix& part : parts) {
    if (part.k() != k) throw FormatError("stacked matrices differ in width");
    for (std::uint32_t row = 0; row < part.n(); ++row) packer.add(part.row(row));
  }
  packer.pad();
}

void pack(const TernaryMatrix& matrix, Packing packing, std::span<std::byte> out) {
  pack(std::span(&matrix, 1), packing, out);
}

std::vector<std::byte> pack(const TernaryMatrix& matrix, Packing packing) {
  std::vector<std::byte> out(packed_bytes(packing, matrix.n(), matrix.k()));
  pack(matrix, packing, out);
  return out;
}

std::vector<std::int8_t> unpack(Packing packing, std::uint32_t n, std::uint32_t k,
                                std::span<const std::byte> bytes) {
  const std::size_t stride = activation_stride(k);
  std::vector<std::int8_t> trits(std::size_t{n} * k);
  std::vector<std::uint8_t> codes(stride);
  for (std::size_t row = 0; row < n; ++row) {
    if (is_bits2(packing)) {
      for (std::size_t piece = 0; piece < stride / 16; ++piece) {
        std::uint32_t word;
        std::memcpy(&word, bytes.data() + piece_offset(packing, row, piece, stride), sizeof word);
        unpack_word(word, codes.data() + 16 * piece);
      }
    } else if (packing == Packing::Trits5x16) {
      unpack_trit_row(bytes.data() + piece_offset(packing, row, 0, stride), codes);
    } else {
      for (std::size_t piece = 0; piece < stride / 4; ++piece) {
        std::memcpy(codes.data() + 4 * piece,
                    bytes.data() + piece_offset(packing, row, piece, stride), 4);
      }
      if (packing == Packing::Int8) {
        for (std::uint8_t& c : codes) c = static_cast<std::uint8_t>(c + 1);
      }
    }
    for (std::uint32_t j = 0; j < k; ++j) {
      if (codes[j] > 2) {
        throw FormatError("packed weights: code " + std::to_string(codes[j]) + " at row " +
                          std::to_string(row) + ", column " + std::to_string(j) + " is no trit");
      }
      trits[row * k + j] = static_cast<std::int8_t>(codes[j] - 1);
    }
  }
  return trits;
}

}  // namespace rotor
