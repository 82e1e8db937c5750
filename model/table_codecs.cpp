#include "model/table_codecs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/half.h"

namespace rotor {
namespace {

using Byte = unsigned char;

constexpr std::size_t kBlock32 = 32;
constexpr std::size_t kBlock256 = 256;

struct Q8Block {
  std::uint16_t d;
  std::int8_t q[kBlock32];
};
static_assert(sizeof(Q8Block) == 34);

struct Q4Block {
  std::uint16_t d;
  Byte q[kBlock32 / 2];
};
static_assert(sizeof(Q4Block) == 18);

struct Q6Block {
  Byte low[128];
  Byte high[64];
  std::int8_t scales[16];
  std::uint16_t d;
};
static_assert(sizeof(Q6Block) == 210);

std::int8_t round_to(float value, int low, int high) {
  return static_cast<std::int8_t>(std::clamp(static_cast<int>(std::nearbyint(value)), low, high));
}

float reciprocal(float value) {
  return value == 0 ? 0 : 1 / value;
}

// The element of the largest magnitude, with its sign.
float extreme(std::span<const float> values) {
  return *std::max_element(values.begin(), values.end(),
                           [](float a, float b) { return std::fabs(a) < std::fabs(b); });
}

void decode(const Q8Block& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (std::size_t i = 0; i < kBlock32; ++i) out[i] = d * block.q[i];
}

void encode(const float* in, Q8Block& block) {
  const float d = std::fabs(extreme({in, kBlock32})) / 127;
  block.d = f32_to_f16(d);
  const float inverse = reciprocal(d);
  for (std::size_t i = 0; i < kBlock32; ++i) block.q[i] = round_to(in[i] * inverse, -127, 127);
}

void decode(const Q4Block& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (std::size_t i = 0; i < kBlock32 / 2; ++i) {
    out[i] = d * static_cast<float>((block.q[i] & 15) - 8);
    out[i + kBlock32 / 2] = d * static_cast<float>((block.q[i] >> 4) - 8);
  }
}

// The extreme becomes -8, which uses all sixteen steps.
void encode(const float* in, Q4Block& block) {
  const float d = extreme({in, kBlock32}) / -8;
  block.d = f32_to_f16(d);
  const float inverse = reciprocal(d);
  for (std::size_t i = 0; i < kBlock32 / 2; ++i) {
    const int low = round_to(in[i] * inverse, -8, 7) + 8;
    const int high = round_to(in[i + kBlock32 / 2] * inverse, -8, 7) + 8;
    block.q[i] = static_cast<Byte>(low | (high << 4));
  }
}

// Where a block of Q6_K keeps element e: a nibble of `low`, two bits of `high`, and its scale.
struct Q6Place {
  std::size_t low;
  unsigned low_shift;
  std::size_t high;
  unsigned high_shift;
  std::size_t scale;
};
constexpr Q6Place q6_place(std::size_t e) {
  const std::size_t half = e / 128;
  const std::size_t quarter = e % 128 / 32;
  const std::size_t l = e % 32;
  return {64 * half + 32 * (quarter % 2) + l, quarter < 2 ? 0u : 4u, 32 * half + l,
          static_cast<unsigned>(2 * quarter), 8 * half + 2 * quarter + l / 16};
}
constexpr auto kQ6Places = [] {
  std::array<Q6Place, kBlock256> places{};
  for (std::size_t e = 0; e < kBlock256; ++e) places[e] = q6_place(e);
  return places;
}();

void decode(const Q6Block& block, float* out) {
  const float d = f16_to_f32(block.d);
  for (std::size_t e = 0; e < kBlock256; ++e) {
    const Q6Place& at = kQ6Places[e];
    const int low = (block.low[at.low] >> at.low_shift) & 15;
    const int high = (block.high[at.high] >> at.high_shift) & 3;
    out[e] = d * static_cast<float>(block.scales[at.scale] * (low + 16 * high - 32));
  }
}

// Each 16 elements get a scale that maps their extreme to -32; the scales share d.
void encode(const float* in, Q6Block& block) {
  float scales[16];
  for (std::size_t s = 0; s < 16; ++s) scales[s] = extreme({in + 16 * s, 16}) / -32;
  const float d = extreme(scales) / -128;
  block = {};
  block.d = f32_to_f16(d);
  for (std::size_t s = 0; s < 16; ++s) {
    block.scales[s] = round_to(scales[s] * reciprocal(d), -128, 127);
  }
  const float kept = f16_to_f32(block.d);  // what a reader multiplies with
  for (std::size_t e = 0; e < kBlock256; ++e) {
    const Q6Place& at = kQ6Places[e];
    const float step = kept * block.scales[at.scale];
    const int q = round_to(in[e] * reciprocal(step), -32, 31) + 32;
    block.low[at.low] = static_cast<Byte>(block.low[at.low] | (q & 15) << at.low_shift);
    block.high[at.high] = static_cast<Byte>(block.high[at.high] | (q >> 4) << at.high_shift);
  }
}

// Blocks are not aligned in files, so they pass through a copy.
template <typename Block>
void decode_blocks(std::span<const std::byte> bytes, std::span<float> out) {
  const std::size_t elements = out.size() / (bytes.size() / sizeof(Block));
  for (std::size_t at = 0, e = 0; e < out.size(); at += sizeof(Block), e += elements) {
    Block block;
    std::memcpy(&block, bytes.data() + at, sizeof block);
    decode(block, out.data() + e);
  }
}

template <typename Block>
void encode_blocks(std::span<const float> values, std::span<std::byte> out) {
  const std::size_t elements = values.size() / (out.size() / sizeof(Block));
  for (std::size_t at = 0, e = 0; e < values.size(); at += sizeof(Block), e += elements) {
    Block block;
    encode(values.data() + e, block);
    std::memcpy(out.data() + at, &block, sizeof block);
  }
}

}  // namespace

std::string_view table_format_name(TableFormat format) {
  switch (format) {
    case TableFormat::F32:
      return "f32";
    case TableFormat::F16:
      return "f16";
    case TableFormat::Bf16:
      return "bf16";
    case TableFormat::Q8_0:
      return "q8_0";
    case TableFormat::Q4_0:
      return "q4_0";
    case TableFormat::Q6_K:
      return "q6_k";
  }
  return "";
}

std::uint32_t block_elements(TableFormat format) {
  if (is_float(format)) return 1;
  return format == TableFormat::Q6_K ? kBlock256 : kBlock32;
}

std::size_t table_row_bytes(TableFormat format, std::uint32_t k) {
  const std::size_t blocks = k / block_elements(format);
  switch (format) {
    case TableFormat::F32:
      return blocks * 4;
    case TableFormat::F16:
    case TableFormat::Bf16:
      return blocks * 2;
    case TableFormat::Q8_0:
      return blocks * sizeof(Q8Block);
    case TableFormat::Q4_0:
      return blocks * sizeof(Q4Block);
    case TableFormat::Q6_K:
      return blocks * sizeof(Q6Block);
  }
  return 0;
}

bool is_float(TableFormat format) {
  return format <= TableFormat::Bf16;
}

Packing table_packing(TableFormat format) {
  if (format == TableFormat::F32) return Packing::F32;
  return format == TableFormat::Bf16 ? Packing::Bf16 : Packing::F16;
}

void decode_table_row(TableFormat format, std::span<const std::byte> bytes, std::span<float> out) {
  switch (format) {
    case TableFormat::Q8_0:
      return decode_blocks<Q8Block>(bytes, out);
    case TableFormat::Q4_0:
      return decode_blocks<Q4Block>(bytes, out);
    case TableFormat::Q6_K:
      return decode_blocks<Q6Block>(bytes, out);
    default:
      return decode_row(table_packing(format), bytes, out);
  }
}

void encode_table_row(TableFormat format, std::span<const float> values, std::span<std::byte> out) {
  switch (format) {
    case TableFormat::Q8_0:
      return encode_blocks<Q8Block>(values, out);
    case TableFormat::Q4_0:
      return encode_blocks<Q4Block>(values, out);
    case TableFormat::Q6_K:
      return encode_blocks<Q6Block>(values, out);
    default:
      return encode_row(table_packing(format), values, out);
  }
}

}  // namespace rotor
