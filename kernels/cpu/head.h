// Logits in plain C++, for any format of table row.
#pragma once

#include "kernels/cpu/float_rows.h"
#include "kernels/variant.h"

namespace rotor::cpu {

// Sixteen partial sums: the compiler makes vectors of them, and the error grows with k / 16.
template <typename Row>
float dot(const Row& row, const float* x, std::size_t k) {
  float lanes[16] = {};
  std::size_t j = 0;
  for (; j + 16 <= k; j += 16) {
    for (std::size_t i = 0; i < 16; ++i) lanes[i] += row[j + i] * x[j + i];
  }
  for (std::size_t i = 0; j < k; ++i, ++j) lanes[i] += row[j] * x[j];
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

template <typename Row>
void head(const CpuCall& call) noexcept {
  const auto& p = call.parameters<HeadParams>();
  const float* x = call.buffer<const float>(0);              // [m, k]
  const std::byte* table = call.buffer<const std::byte>(1);  // [n] rows
  float* out = call.buffer<float>(2);                        // [m, out_stride]
  const std::size_t bytes = row_bytes(Row::kPacking, p.k);
  for (std::size_t r = call.begin; r < call.end; ++r) {
    const Row row(table + r * bytes, p.k);
    for (std::size_t t = 0; t < p.m; ++t) {
      out[t * p.out_stride + r] = dot(row, x + t * p.k, p.k);
    }
  }
}

}  // namespace rotor::cpu
