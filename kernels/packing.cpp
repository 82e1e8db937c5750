#include "kernels/packing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/half.h"
#include "kernels/ops.h"

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

// Sixteen codes into one word: bits 8b + 2j hold the code of column 4j + b.
std::uint32_t pack_word(const std::uint8_t* codes) {
  std::uint32_t word = 0;
  for (unsigned j = 0; j < 4; ++j) {
    std::uint32_t four;
    std::memcpy(&four, codes + 4 * j, sizeof four);
    word |= four << (2 * j);
  }
  return word;
}

void unpack_word(std::uint32_t word, std::uint8_t* codes) {
  for (unsigned j = 0; j < 4; ++j) {
    const std::uint32_t four = (word >> (2 * j)) & 0x03030303u;
    std::memcpy(codes + 4 * j, &four, sizeof four);
  }
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

// max |v|. Bit patterns order like magnitudes, with NaN above all: the scale of a row with a NaN is a
// NaN, so it stays visible.
float largest_magnitude(std::span<const float> values) {
  std::uint32_t top = 0;
  for (const float v : values) top = std::max(top, std::bit_cast<std::uint32_t>(v) & 0x7FFFFFFFu);
  return std::bit_cast<float>(top);
}

constexpr std::size_t kCodesAtOnce = 64;

// Nearest integer, ties to even, of |v| < 127.5; -127 for a NaN. Adding 1.5 * 2^23 leaves no room for a
// fraction: the addition rounds, and the sum's lowest byte is the code.
std::int8_t row_code(float v) {
  const auto bits = std::bit_cast<std::uint32_t>(v + 0x1.8p23f);
  return static_cast<std::int8_t>(v == v ? bits : 0x81u);
}

// Element j of 16 bits.
std::uint16_t half_at(std::span<const std::byte> bytes, std::size_t j) {
  std::uint16_t half;
  std::memcpy(&half, bytes.data() + 2 * j, sizeof half);
  return half;
}

// Bits6Row: elements and bytes of a group, whose first two bytes are its scale.
constexpr std::size_t kSixGroup = 32;
constexpr std::size_t kSixGroupBytes = 26;

// Sixteen codes, 0 to 63, into twelve bytes.
void pack_six_bits(const std::uint8_t* codes, std::byte* out) {
  std::uint8_t upper[16];
  for (std::size_t b = 0; b < 8; ++b) {
    out[b] = static_cast<std::byte>((codes[b] & 15) | (codes[8 + b] & 15) << 4);
  }
  for (std::size_t e = 0; e < 16; ++e) upper[e] = codes[e] >> 4;
  const std::uint32_t word = pack_word(upper);
  std::memcpy(out + 8, &word, sizeof word);
}

void unpack_six_bits(const std::byte* bytes, std::uint8_t* codes) {
  std::uint32_t word;
  std::memcpy(&word, bytes + 8, sizeof word);
  unpack_word(word, codes);
  for (std::size_t e = 0; e < 16; ++e) {
    const auto pair = std::to_integer<unsigned>(bytes[e % 8]);
    codes[e] = static_cast<std::uint8_t>(codes[e] << 4 | (e < 8 ? pair & 15 : pair >> 4));
  }
}

// One group of `values` (32, or the last ones of a row). A NaN or an infinity makes the scale one, so it
// stays visible.
void encode_six_bits(std::span<const float> values, std::byte* out) {
  float extreme = 0;
  for (const float v : values) {
    if (!(std::fabs(v) <= std::fabs(extreme))) extreme = v;
    if (std::isnan(v)) break;
  }
  const std::uint16_t half = f32_to_f16(extreme / -32);
  const float scale = f16_to_f32(half);
  std::uint8_t codes[kSixGroup];
  std::fill(codes, codes + kSixGroup, std::uint8_t{32});
  for (std::size_t j = 0; j < values.size(); ++j) {
    const float steps = scale == 0 ? 0.0f : values[j] / scale;
    const float bounded = steps > -32.0f ? std::min(steps, 31.0f) : -32.0f;
    codes[j] = static_cast<std::uint8_t>(32 + static_cast<int>(std::nearbyint(bounded)));
  }
  std::memcpy(out, &half, sizeof half);
  pack_six_bits(codes, out + 2);
  pack_six_bits(codes + 16, out + 14);
}

void decode_six_bits(const std::byte* bytes, std::span<float> out) {
  std::uint16_t half;
  std::memcpy(&half, bytes, sizeof half);
  std::uint8_t codes[kSixGroup];
  unpack_six_bits(bytes + 2, codes);
  unpack_six_bits(bytes + 14, codes + 16);
  for (std::size_t j = 0; j < out.size(); ++j) {
    out[j] = static_cast<float>(codes[j] - 32) * f16_to_f32(half);
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

std::string_view packing_name(Packing packing) {
  switch (packing) {
    case Packing::None:
      return "none";
    case Packing::Bits2:
      return "bits2";
    case Packing::Bits2x16:
      return "bits2x16";
    case Packing::Trits5x16:
      return "trits5x16";
    case Packing::Int8:
      return "int8";
    case Packing::Int8x16:
      return "int8x16";
    case Packing::F32:
      return "f32";
    case Packing::F16:
      return "f16";
    case Packing::Bf16:
      return "bf16";
    case Packing::Int8Row:
      return "int8row";
    case Packing::Bits6Row:
      return "bits6row";
  }
  return "?";
}

bool is_ternary(Packing packing) {
  return packing >= Packing::Bits2 && packing <= Packing::Int8x16;
}

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

std::size_t row_bytes(Packing packing, std::uint32_t k) {
  switch (packing) {
    case Packing::F32:
      return std::size_t{k} * 4;
    case Packing::F16:
    case Packing::Bf16:
      return std::size_t{k} * 2;
    case Packing::Int8Row:
      return (std::size_t{k} + 3) / 4 * 4 + 4;
    case Packing::Bits6Row:
      return (std::size_t{k} + kSixGroup - 1) / kSixGroup * kSixGroupBytes;
    default:
      throw UsageError("packing " + std::string(packing_name(packing)) + " has no float rows");
  }
}

void encode_row(Packing packing, std::span<const float> values, std::span<std::byte> out) {
  const std::size_t k = values.size();
  switch (packing) {
    case Packing::F32:
      std::memcpy(out.data(), values.data(), k * 4);
      return;
    case Packing::F16:
    case Packing::Bf16:
      for (std::size_t j = 0; j < k; ++j) {
        const std::uint16_t h =
            packing == Packing::F16 ? f32_to_f16(values[j]) : f32_to_bf16(values[j]);
        std::memcpy(out.data() + 2 * j, &h, sizeof h);
      }
      return;
    case Packing::Int8Row: {
      const float top = largest_magnitude(values);
      const float steps = top >= kSmallestRowMagnitude ? 127.0f / top : 0.0f;
      // By way of a small array that overlaps with nothing, so that compilers make vectors of the loop.
      for (std::size_t j = 0; j < k; j += kCodesAtOnce) {
        const std::size_t count = std::min(kCodesAtOnce, k - j);
        std::int8_t codes[kCodesAtOnce];
        for (std::size_t i = 0; i < count; ++i) codes[i] = row_code(values[j + i] * steps);
        std::memcpy(out.data() + j, codes, count);
      }
      std::fill(out.begin() + static_cast<std::ptrdiff_t>(k), out.end() - 4, std::byte{0});
      const float scale = top * (1.0f / 127);
      std::memcpy(out.data() + out.size() - 4, &scale, sizeof scale);
      return;
    }
    case Packing::Bits6Row:
      for (std::size_t j = 0; j < k; j += kSixGroup) {
        encode_six_bits(values.subspan(j, std::min(kSixGroup, k - j)),
                        out.data() + j / kSixGroup * kSixGroupBytes);
      }
      return;
    default:
      throw UsageError("packing " + std::string(packing_name(packing)) + " has no float rows");
  }
}

void decode_row(Packing packing, std::span<const std::byte> bytes, std::span<float> out) {
  const std::size_t k = out.size();
  switch (packing) {
    case Packing::F32:
      std::memcpy(out.data(), bytes.data(), k * 4);
      return;
    case Packing::F16:
      for (std::size_t j = 0; j < k; ++j) out[j] = f16_to_f32(half_at(bytes, j));
      return;
    case Packing::Bf16:
      for (std::size_t j = 0; j < k; ++j) out[j] = bf16_to_f32(half_at(bytes, j));
      return;
    case Packing::Int8Row: {
      float scale;
      std::memcpy(&scale, bytes.data() + row_bytes(packing, static_cast<std::uint32_t>(k)) - 4, 4);
      for (std::size_t j = 0; j < k; ++j) {
        out[j] = static_cast<float>(static_cast<std::int8_t>(bytes[j])) * scale;
      }
      return;
    }
    case Packing::Bits6Row:
      for (std::size_t j = 0; j < k; j += kSixGroup) {
        decode_six_bits(bytes.data() + j / kSixGroup * kSixGroupBytes,
                        out.subspan(j, std::min(kSixGroup, k - j)));
      }
      return;
    default:
      throw UsageError("packing " + std::string(packing_name(packing)) + " has no float rows");
  }
}

}  // namespace rotor
