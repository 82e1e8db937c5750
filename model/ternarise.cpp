#include "model/ternarise.h"

#include <cmath>

namespace rotor {

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
