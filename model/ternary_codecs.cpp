#include "model/ternary_codecs.h"

#include <algorithm>
#include <cmath>

namespace rotor {
namespace {

// True if one of the four 2-bit fields of a byte somewhere holds 3.
bool has_code_3(std::span<const std::byte> bytes) {
  unsigned char seen = 0;
  for (const std::byte b : bytes) {
    const auto byte = static_cast<unsigned char>(b);
    seen |= static_cast<unsigned char>(byte & (byte >> 1) & 0x55);
  }
  return seen != 0;
}

}  // namespace

std::optional<std::vector<std::int8_t>> decode_strided(std::span<const std::byte> bytes,
                                                       std::uint32_t n, std::uint32_t k) {
  if (has_code_3(bytes)) return std::nullopt;
  const std::size_t packed_rows = (std::size_t{n} + 3) / 4;
  std::vector<std::int8_t> trits(std::size_t{n} * k);
  for (std::size_t r = 0; r < packed_rows; ++r) {
    const auto* in = reinterpret_cast<const unsigned char*>(bytes.data()) + r * k;
    for (std::size_t field = 0; field < 4; ++field) {
      const std::size_t row = r + field * packed_rows;
      if (row >= n) break;
      std::int8_t* out = trits.data() + row * k;
      for (std::size_t c = 0; c < k; ++c) {
        out[c] = static_cast<std::int8_t>(((in[c] >> (2 * field)) & 3) - 1);
      }
    }
  }
  return trits;
}

Ternarised ternarise(Packing format, std::span<const std::byte> bytes, std::uint32_t n,
                     std::uint32_t k) {
  const std::size_t stride = row_bytes(format, k);
  std::vector<float> row(k);
  double sum = 0;  // 17.7 M terms would lose bits in single precision, and the mean decides ties
  for (std::size_t r = 0; r < n; ++r) {
    decode_row(format, bytes.subspan(r * stride, stride), row);
    double row_sum = 0;
    for (const float w : row) row_sum += std::fabs(w);
    sum += row_sum;
  }
  const auto mean = static_cast<float>(sum / (static_cast<double>(n) * k));
  const float inverse = 1 / (mean < 1e-5f ? 1e-5f : mean);  // a NaN stays

  Ternarised result{std::vector<std::int8_t>(std::size_t{n} * k), 1 / inverse};
  for (std::size_t r = 0; r < n; ++r) {
    decode_row(format, bytes.subspan(r * stride, stride), row);
    std::int8_t* out = result.trits.data() + r * k;
    // rne(x) clamped to [-1, 1] is two comparisons: |x| = 0.5 is a tie and goes to the even 0.
    for (std::size_t c = 0; c < k; ++c) {
      const float x = row[c] * inverse;
      out[c] = static_cast<std::int8_t>((x > 0.5f) - (x < -0.5f));
    }
  }
  return result;
}

}  // namespace rotor
