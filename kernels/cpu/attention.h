// Attention in plain C++, for any format of cache row.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/float_rows.h"
#include "kernels/cpu/head.h"
#include "kernels/variant.h"

namespace rotor::cpu {

// Online softmax (Milakov, Gimelshein: "Online normalizer calculation for softmax", 2018) over
// blocks of positions: keys and values are read once, and scratch does not grow with the context.
// Blocks begin at multiples of their size, so a result depends on its query and position alone.
inline constexpr std::size_t kAttentionBlock = 64;

// One row of keys or values: its first byte, and the way to the next position.
struct CacheColumn {
  const std::byte* rows;
  std::size_t stride;
  const std::byte* at(std::size_t position) const { return rows + position * stride; }
};

// out: [head_dim], the attention of query q: [head_dim] over the first `positions` positions.
template <typename Row>
void attend(const float* q, CacheColumn keys, CacheColumn values, std::size_t positions,
            std::size_t head_dim, float* out) {
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
  float top = -std::numeric_limits<float>::infinity();
  float total = 0;
  std::fill(out, out + head_dim, 0.0f);
  for (std::size_t first = 0; first < positions; first += kAttentionBlock) {
    const std::size_t count = std::min(kAttentionBlock, positions - first);
    float weights[kAttentionBlock];
    float block_top = top;
    for (std::size_t i = 0; i < count; ++i) {
      weights[i] = dot(Row(keys.at(first + i), head_dim), q, head_dim) * scale;
      block_top = std::max(block_top, weights[i]);
    }
    const float shrink = std::exp(top - block_top);
    top = block_top;
    total *= shrink;
    for (std::size_t d = 0; d < head_dim; ++d) out[d] *= shrink;
    for (std::size_t i = 0; i < count; ++i) {
      const Row value(values.at(first + i), head_dim);
      const float w = std::exp(weights[i] - top);
      total += w;
      for (std::size_t d = 0; d < head_dim; ++d) out[d] += w * value[d];
    }
  }
  for (std::size_t d = 0; d < head_dim; ++d) out[d] /= total;
}

template <typename Row>
void attention(const CpuCall& call) noexcept {
  const auto& p = call.parameters<AttentionParams>();
  const float* qkv = call.buffer<const float>(0);  // [m, q k v]
  const std::size_t position = *call.buffer<const std::uint32_t>(1);
  const std::byte* keys = call.buffer<const std::byte>(2);  // [capacity, kv_heads] rows
  const std::byte* values = call.buffer<const std::byte>(3);
  float* out = call.buffer<float>(4);  // [m, heads * head_dim]
  const std::size_t width = std::size_t{p.heads + 2 * p.kv_heads} * p.head_dim;
  const std::size_t bytes = row_bytes(Row::kPacking, p.head_dim);
  for (std::size_t i = call.begin; i < call.end; ++i) {
    const std::size_t token = i / p.heads;
    const std::size_t head = i % p.heads;
    const std::size_t kv_head = head / (p.heads / p.kv_heads);
    const std::size_t stride = bytes * p.kv_heads;
    attend<Row>(qkv + token * width + head * p.head_dim, {keys + kv_head * bytes, stride},
                {values + kv_head * bytes, stride}, position + token + 1, p.head_dim,
                out + i * p.head_dim);
  }
}

}  // namespace rotor::cpu
