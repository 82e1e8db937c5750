#include "model/ternary_codecs.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "core/error.h"
#include "core/half.h"

namespace rotor {
namespace {

using Byte = unsigned char;

constexpr std::size_t kI2sBlock = 128;  // trits, in kI2sBlock / 4 bytes
constexpr std::size_t kI2sTail = 32;    // the scale and its padding
constexpr std::size_t kTqBlock = 256;   // trits
constexpr std::size_t kTq1Codes = 52;   // bytes of codes; two more hold the scale
constexpr std::size_t kTq2Codes = 64;

// True if one of the four 2-bit fields of a byte somewhere holds 3.
bool has_code_3(std::span<const std::byte> bytes) {
  Byte seen = 0;
  for (const std::byte b : bytes) {
    const auto byte = static_cast<Byte>(b);
    seen |= static_cast<Byte>(byte & (byte >> 1) & 0x55);
  }
  return seen != 0;
}

void refuse_code_3(std::span<const std::byte> bytes, const std::string& where) {
  if (has_code_3(bytes)) throw FormatError(where + ": a ternary code is 3; codes are 0, 1 and 2");
}

// A shift that the compiler knows keeps the loop in 8-bit lanes (4.6 times as fast with GCC 12).
template <unsigned Shift>
void decode_field(const Byte* in, std::size_t count, std::int8_t* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<std::int8_t>(((in[i] >> Shift) & 3) - 1);
  }
}

// One 2-bit field of `count` bytes as trits.
void decode_field(const Byte* in, unsigned shift, std::size_t count, std::int8_t* out) {
  switch (shift) {
    case 0:
      return decode_field<0>(in, count, out);
    case 2:
      return decode_field<2>(in, count, out);
    case 4:
      return decode_field<4>(in, count, out);
    default:
      return decode_field<6>(in, count, out);
  }
}

// Adds one 2-bit field to bytes whose field is still zero.
void encode_field(const std::int8_t* in, unsigned shift, std::size_t count, Byte* out) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<Byte>(out[i] | ((in[i] + 1) << shift));
  }
}

void decode_strided(const Byte* in, std::size_t n, std::size_t k, std::int8_t* out) {
  const std::size_t packed_rows = (n + 3) / 4;
  for (std::size_t row = 0; row < packed_rows; ++row) {
    for (std::size_t r = row, field = 0; r < n; r += packed_rows, ++field) {
      decode_field(in + row * k, static_cast<unsigned>(2 * field), k, out + r * k);
    }
  }
}

void encode_strided(const std::int8_t* in, std::size_t n, std::size_t k, Byte* out) {
  const std::size_t packed_rows = (n + 3) / 4;
  for (std::size_t row = 0; row < packed_rows; ++row) {
    for (std::size_t r = row, field = 0; r < n; r += packed_rows, ++field) {
      encode_field(in + r * k, static_cast<unsigned>(2 * field), k, out + row * k);
    }
  }
}

void decode_i2s(const Byte* in, std::size_t elements, std::int8_t* out) {
  for (; elements != 0; elements -= kI2sBlock, in += kI2sBlock / 4) {
    for (unsigned group = 0; group < 4; ++group, out += kI2sBlock / 4) {
      decode_field(in, 6 - 2 * group, kI2sBlock / 4, out);
    }
  }
}

void encode_i2s(const std::int8_t* in, std::size_t elements, Byte* out) {
  for (; elements != 0; elements -= kI2sBlock, out += kI2sBlock / 4) {
    for (unsigned group = 0; group < 4; ++group, in += kI2sBlock / 4) {
      encode_field(in, 6 - 2 * group, kI2sBlock / 4, out);
    }
  }
}

// A block of Tq2 is two halves of 128; the lowest field of a byte comes first.
void decode_tq2_block(const Byte* in, std::int8_t* out) {
  for (std::size_t half = 0; half < 2; ++half, in += 32) {
    for (unsigned group = 0; group < 4; ++group, out += 32) decode_field(in, 2 * group, 32, out);
  }
}

void encode_tq2_block(const std::int8_t* in, Byte* out) {
  std::memset(out, 0, kTq2Codes);
  for (std::size_t half = 0; half < 2; ++half, out += 32) {
    for (unsigned group = 0; group < 4; ++group, in += 32) encode_field(in, 2 * group, 32, out);
  }
}

// A block of Tq1 is three runs of bytes; digit `d` of byte `m` of a run holds element
// first + m + d * bytes, and the first digit is the most significant one of base 3.
// A byte b stands for the fraction q / 243 as b / 256, rounded up: multiplying by 3 brings the next
// digit above the point. The digit is b * 3 / 256, written as comparisons to stay in 8 bits.
template <std::size_t Bytes, std::size_t Digits>
void decode_tq1_run(const Byte* in, std::int8_t* out) {
  Byte rest[Bytes];
  std::memcpy(rest, in, Bytes);
  for (std::size_t d = 0; d < Digits; ++d, out += Bytes) {
    for (std::size_t m = 0; m < Bytes; ++m) {
      out[m] = static_cast<std::int8_t>((rest[m] > 85) + (rest[m] > 170) - 1);
      rest[m] = static_cast<Byte>(rest[m] * 3);
    }
  }
}

template <std::size_t Bytes, std::size_t Digits>
void encode_tq1_run(const std::int8_t* in, Byte* out) {
  for (std::size_t m = 0; m < Bytes; ++m) {
    unsigned q = 0;
    for (std::size_t d = 0; d < 5; ++d) {
      q = q * 3 + (d < Digits ? static_cast<unsigned>(in[m + d * Bytes] + 1) : 0);
    }
    out[m] = static_cast<Byte>((256 * q + 242) / 243);
  }
}

void decode_tq1_block(const Byte* in, std::int8_t* out) {
  decode_tq1_run<32, 5>(in, out);
  decode_tq1_run<16, 5>(in + 32, out + 160);
  decode_tq1_run<4, 4>(in + 48, out + 240);
}

void encode_tq1_block(const std::int8_t* in, Byte* out) {
  encode_tq1_run<32, 5>(in, out);
  encode_tq1_run<16, 5>(in + 160, out + 32);
  encode_tq1_run<4, 4>(in + 240, out + 48);
}

struct TqLayout {
  std::size_t codes;  // bytes before the f16 scale
  void (*decode)(const Byte*, std::int8_t*);
  void (*encode)(const std::int8_t*, Byte*);
};

TqLayout tq_layout(TernaryFormat format) {
  if (format == TernaryFormat::Tq1) return {kTq1Codes, decode_tq1_block, encode_tq1_block};
  return {kTq2Codes, decode_tq2_block, encode_tq2_block};
}

// Every block repeats the scale of the matrix, except that llama.cpp gives a block of zeros the
// scale 0.
StoredTernary decode_tq(TernaryFormat format, std::span<const std::byte> bytes,
                        std::vector<std::int8_t> memory, const std::string& where) {
  const TqLayout layout = tq_layout(format);
  StoredTernary result{std::move(memory), 0};
  std::uint16_t scale = 0;
  for (std::size_t first = 0; first < result.trits.size(); first += kTqBlock) {
    const auto block = bytes.subspan(first / kTqBlock * (layout.codes + 2), layout.codes + 2);
    if (format == TernaryFormat::Tq2) refuse_code_3(block.first(layout.codes), where);
    std::uint16_t own = 0;
    std::memcpy(&own, block.data() + layout.codes, sizeof own);
    if (own == 0) {
      std::memset(result.trits.data() + first, 0, kTqBlock);
      continue;
    }
    if (scale == 0) scale = own;
    if (own != scale) {
      throw FormatError(where + ": blocks with scales " + std::to_string(f16_to_f32(scale)) +
                        " and " + std::to_string(f16_to_f32(own)) +
                        "; a BitNet matrix has one scale");
    }
    layout.decode(reinterpret_cast<const Byte*>(block.data()), result.trits.data() + first);
  }
  result.scale = f16_to_f32(scale);
  return result;
}

void encode_tq(TernaryFormat format, std::span<const std::int8_t> trits, float scale,
               std::span<std::byte> out) {
  const TqLayout layout = tq_layout(format);
  const std::uint16_t half = f32_to_f16(scale);
  for (std::size_t first = 0; first < trits.size(); first += kTqBlock) {
    auto* block = reinterpret_cast<Byte*>(out.data()) + first / kTqBlock * (layout.codes + 2);
    layout.encode(trits.data() + first, block);
    std::memcpy(block + layout.codes, &half, sizeof half);
  }
}

}  // namespace

std::string_view ternary_format_name(TernaryFormat format) {
  switch (format) {
    case TernaryFormat::Strided:
      return "packed";
    case TernaryFormat::I2S:
      return "i2_s";
    case TernaryFormat::Tq1:
      return "tq1_0";
    case TernaryFormat::Tq2:
      return "tq2_0";
  }
  return "";
}

bool fits(TernaryFormat format, std::uint32_t n, std::uint32_t k) {
  switch (format) {
    case TernaryFormat::Strided:
      return true;
    case TernaryFormat::I2S:
      return std::size_t{n} * k % kI2sBlock == 0;
    case TernaryFormat::Tq1:
    case TernaryFormat::Tq2:
      return k % kTqBlock == 0;
  }
  return false;
}

std::size_t stored_bytes(TernaryFormat format, std::uint32_t n, std::uint32_t k) {
  const std::size_t elements = std::size_t{n} * k;
  switch (format) {
    case TernaryFormat::Strided:
      return (std::size_t{n} + 3) / 4 * k;
    case TernaryFormat::I2S:
      return elements / 4 + kI2sTail;
    case TernaryFormat::Tq1:
    case TernaryFormat::Tq2:
      return elements / kTqBlock * (tq_layout(format).codes + 2);
  }
  return 0;
}

float stored_scale(TernaryFormat format, float scale) {
  const bool half = format == TernaryFormat::Tq1 || format == TernaryFormat::Tq2;
  return half ? f16_to_f32(f32_to_f16(scale)) : scale;
}

StoredTernary decode_ternary(TernaryFormat format, std::span<const std::byte> bytes,
                             std::uint32_t n, std::uint32_t k, const std::string& where,
                             std::vector<std::int8_t> memory) {
  assert(bytes.size() == stored_bytes(format, n, k));
  const std::size_t elements = std::size_t{n} * k;
  memory.resize(elements);
  const auto* in = reinterpret_cast<const Byte*>(bytes.data());
  if (format == TernaryFormat::Tq1 || format == TernaryFormat::Tq2) {
    return decode_tq(format, bytes, std::move(memory), where);
  }
  StoredTernary result{std::move(memory), 1};
  if (format == TernaryFormat::Strided) {
    refuse_code_3(bytes, where);
    decode_strided(in, n, k, result.trits.data());
  } else {
    refuse_code_3(bytes.first(elements / 4), where);
    decode_i2s(in, elements, result.trits.data());
    std::memcpy(&result.scale, in + elements / 4, sizeof result.scale);
  }
  return result;
}

std::vector<std::byte> encode_ternary(TernaryFormat format, const TernaryMatrix& matrix) {
  assert(fits(format, matrix.n(), matrix.k()) && matrix.scales().size() == 1);
  const auto trits = matrix.trits();
  const float scale = matrix.scales().front().scale;
  std::vector<std::byte> bytes(stored_bytes(format, matrix.n(), matrix.k()));
  auto* out = reinterpret_cast<Byte*>(bytes.data());
  switch (format) {
    case TernaryFormat::Strided:
      encode_strided(trits.data(), matrix.n(), matrix.k(), out);
      break;
    case TernaryFormat::I2S:
      encode_i2s(trits.data(), trits.size(), out);
      std::memcpy(out + trits.size() / 4, &scale, sizeof scale);
      break;
    case TernaryFormat::Tq1:
    case TernaryFormat::Tq2:
      encode_tq(format, trits, scale, bytes);
      break;
  }
  return bytes;
}

}  // namespace rotor
