// Rows of floats: one width, int8 with a scale per row, 6 bits with a scale per 32 elements.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/half.h"
#include "kernels/packing.h"
#include "kernels/two_bit_words.h"

namespace rotor {
namespace {

// Element j of 16 bits.
std::uint16_t half_at(std::span<const std::byte> bytes, std::size_t j) {
  std::uint16_t half;
  std::memcpy(&half, bytes.data() + 2 * j, sizeof half);
  return half;
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

void encode_int8(std::span<const float> values, std::span<std::byte> out) {
  const std::size_t k = values.size();
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
}

void decode_int8(std::span<const std::byte> bytes, std::span<float> out) {
  const std::size_t k = out.size();
  float scale;
  const std::size_t end = row_bytes(Packing::Int8Row, static_cast<std::uint32_t>(k));
  std::memcpy(&scale, bytes.data() + end - 4, sizeof scale);
  for (std::size_t j = 0; j < k; ++j) {
    out[j] = static_cast<float>(static_cast<std::int8_t>(bytes[j])) * scale;
  }
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

}  // namespace

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
    case Packing::Int8Row:
      return encode_int8(values, out);
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
    case Packing::Int8Row:
      return decode_int8(bytes, out);
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
