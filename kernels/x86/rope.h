// Rotation of queries and keys, and cache rows, sixteen elements at a time: the arithmetic of
// kernels/cpu/rope.h and encode_row, so the same bits. Included inside a target region.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/variant.h"
#include "kernels/x86/lanes.h"

namespace rotor::cpu {
namespace {

// The pairs (z[i], z[i + half]) of one head vector, rotated; `to` may be z.
template <typename L>
ROTOR_INLINE void rotate_lanes(const float* z, const float* cosines, const float* sines,
                               std::size_t half, float* to) {
  for_each_sixteen<L>(half, [&](std::size_t i, auto n) {
    const auto a = L::load(z + i, n);
    const auto b = L::load(z + half + i, n);
    const auto c = L::load(cosines + i, n);
    const auto s = L::load(sines + i, n);
    L::store(to + i, L::sub(L::mul(a, c), L::mul(b, s)), n);
    L::store(to + half + i, L::add(L::mul(b, c), L::mul(a, s)), n);
  });
}

template <typename L>
struct EncodeF32 {
  static constexpr Packing kPacking = Packing::F32;
  ROTOR_INLINE static void encode(const float* values, std::size_t k, std::byte* out) {
    std::memcpy(out, values, 4 * k);
  }
};

template <typename L>
struct EncodeF16 {
  static constexpr Packing kPacking = Packing::F16;
  ROTOR_INLINE static void encode(const float* values, std::size_t k, std::byte* out) {
    auto* halves = reinterpret_cast<std::uint16_t*>(out);
    for_each_sixteen<L>(
        k, [&](std::size_t j, auto n) { L::store_f16(halves + j, L::load(values + j, n), n); });
  }
};

template <typename L>
struct EncodeInt8Row {
  static constexpr Packing kPacking = Packing::Int8Row;
  ROTOR_INLINE static void encode(const float* values, std::size_t k, std::byte* out) {
    auto largest = L::no_ints();
    for_each_sixteen<L>(k, [&](std::size_t j, auto n) {
      largest = L::larger_magnitude(largest, L::load(values + j, n));
    });
    const float top = std::bit_cast<float>(L::largest(largest));
    const auto steps = L::broadcast(top >= kSmallestRowMagnitude ? 127.0f / top : 0.0f);
    auto* codes = reinterpret_cast<std::int8_t*>(out);
    for_each_sixteen<L>(k, [&](std::size_t j, auto n) {
      L::store_bytes(codes + j, codes_of<L>(L::mul(L::load(values + j, n), steps), n), n);
    });
    const std::size_t padded = (k + 3) / 4 * 4;
    std::fill(codes + k, codes + padded, std::int8_t{0});
    const float scale = top * (1.0f / 127);
    std::memcpy(out + padded, &scale, sizeof scale);
  }
};

template <typename L, typename Encode>
ROTOR_INLINE void rope(const CpuCall& call) {
  const auto& p = call.parameters<AttentionParams>();
  float* qkv = call.buffer<float>(0);  // [m, q k v]
  const std::size_t position = *call.buffer<const std::uint32_t>(1);
  const float* angles = call.buffer<const float>(2);  // [capacity, cos sin]
  std::byte* keys = call.buffer<std::byte>(3);        // [capacity, kv_heads] rows
  std::byte* values = call.buffer<std::byte>(4);
  float* rotated = reinterpret_cast<float*>(call.scratch);  // [head_dim]
  const std::size_t dim = p.head_dim, half = dim / 2;
  const std::size_t bytes = row_bytes(Encode::kPacking, p.head_dim);
  for (std::size_t t = call.begin; t < call.end; ++t) {
    float* q = qkv + t * (p.heads + 2 * p.kv_heads) * dim;
    const float* k = q + p.heads * dim;
    const float* v = k + p.kv_heads * dim;
    const float* cosines = angles + (position + t) * dim;
    for (std::size_t head = 0; head < p.heads; ++head) {
      rotate_lanes<L>(q + head * dim, cosines, cosines + half, half, q + head * dim);
    }
    for (std::size_t head = 0; head < p.kv_heads; ++head) {
      const std::size_t row = ((position + t) * p.kv_heads + head) * bytes;
      rotate_lanes<L>(k + head * dim, cosines, cosines + half, half, rotated);
      Encode::encode(rotated, dim, keys + row);
      Encode::encode(v + head * dim, dim, values + row);
    }
  }
}

}  // namespace
}  // namespace rotor::cpu
