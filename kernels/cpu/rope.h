// Rotation of queries and keys, and the rows that they leave in the cache, in plain C++.
#pragma once

#include <span>

#include "kernels/packing.h"
#include "kernels/variant.h"

namespace rotor::cpu {

// The pairs (z[i], z[i + half]) of one head vector, rotated; `to` may be z.
inline void rotate(const float* z, const float* cosines, const float* sines, std::size_t half,
                   float* to) {
  for (std::size_t i = 0; i < half; ++i) {
    const float a = z[i];
    const float b = z[i + half];
    to[i] = a * cosines[i] - b * sines[i];
    to[i + half] = b * cosines[i] + a * sines[i];
  }
}

template <Packing kFormat>
void rope(const CpuCall& call) noexcept {
  const auto& p = call.parameters<AttentionParams>();
  float* qkv = call.buffer<float>(0);  // [m, q k v]
  const std::size_t position = *call.buffer<const std::uint32_t>(1);
  const float* angles = call.buffer<const float>(2);  // [capacity, cos sin]
  std::byte* keys = call.buffer<std::byte>(3);        // [capacity, kv_heads] rows
  std::byte* values = call.buffer<std::byte>(4);
  float* rotated = reinterpret_cast<float*>(call.scratch);  // [head_dim]
  const std::size_t dim = p.head_dim;
  const std::size_t bytes = row_bytes(kFormat, p.head_dim);
  for (std::size_t t = call.begin; t < call.end; ++t) {
    float* q = qkv + t * (p.heads + 2 * p.kv_heads) * dim;
    const float* k = q + p.heads * dim;
    const float* v = k + p.kv_heads * dim;
    const float* cosines = angles + (position + t) * dim;
    const float* sines = cosines + dim / 2;
    for (std::size_t head = 0; head < p.heads; ++head) {
      rotate(q + head * dim, cosines, sines, dim / 2, q + head * dim);
    }
    for (std::size_t head = 0; head < p.kv_heads; ++head) {
      const std::size_t row = ((position + t) * p.kv_heads + head) * bytes;
      rotate(k + head * dim, cosines, sines, dim / 2, rotated);
      encode_row(kFormat, std::span(rotated, dim), std::span(keys + row, bytes));
      encode_row(kFormat, std::span(v + head * dim, dim), std::span(values + row, bytes));
    }
  }
}

}  // namespace rotor::cpu
