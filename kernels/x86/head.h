// Logits, sixteen elements at a time (L is Avx2 or Avx512). Included inside a target region.
//
// Each logit is one chain of vector multiply-adds over k and one sum of lanes, whichever tile it falls
// in, so it depends neither on the slice nor on the batch.
#pragma once

#include <algorithm>

#include "kernels/variant.h"
#include "kernels/x86/float_rows.h"

namespace rotor::cpu {
namespace {

// out[t * out_stride + r] for the rows r = at, at + step, ... of the table by kTokens tokens.
template <typename L, typename Row, std::size_t kRows, std::size_t kTokens>
ROTOR_INLINE void head_tile(const std::byte* table, std::size_t row_bytes, const float* x,
                            const HeadParams& p, std::size_t at, std::size_t step, float* out) {
  const std::size_t k = p.k;
  typename L::V sums[kRows][kTokens];
  ROTOR_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) sums[r][t] = L::zero();
  }
  const std::byte* first = table + at * row_bytes;
  const auto add_products = [&](std::size_t j, auto n) {
    typename L::V activations[kTokens];
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) activations[t] = L::load(x + t * k + j, n);
    ROTOR_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      const auto weights = Row::at(first + r * step * row_bytes, j, n);
      ROTOR_UNROLL
      for (std::size_t t = 0; t < kTokens; ++t) {
        sums[r][t] = L::fma(weights, activations[t], sums[r][t]);
      }
    }
  };
  std::size_t j = 0;
  for (; j + 16 <= k; j += 16) add_products(j, typename L::All{});
  if (j < k) add_products(j, k - j);
  ROTOR_UNROLL
  for (std::size_t r = 0; r < kRows; ++r) {
    const float scale = Row::scale(first + r * step * row_bytes, k);
    ROTOR_UNROLL
    for (std::size_t t = 0; t < kTokens; ++t) {
      out[t * p.out_stride + at + r * step] = L::total(sums[r][t]) * scale;
    }
  }
}

// 160 KB of the 16-bit table of 2B4T: half of a small second-level cache.
inline constexpr std::size_t kChunkRows = 32;

// kTokens tokens by all rows of the slice, in kRows streams that are a part of the slice apart: the
// prefetchers like few long streams. Four rows side by side reached half the memory bandwidth on Zen 5;
// two, three, six and eight streams were no better than four.
template <typename L, typename Row, std::size_t kRows, std::size_t kTokens>
ROTOR_INLINE void head_rows(const std::byte* table, const float* x, const HeadParams& p,
                            std::size_t begin, std::size_t end, float* out) {
  const std::size_t bytes = row_bytes(Row::kPacking, p.k);
  const std::size_t step = (end - begin) / kRows;
  for (std::size_t r = begin; r < begin + step; ++r) {
    head_tile<L, Row, kRows, kTokens>(table, bytes, x, p, r, step, out);
  }
  for (std::size_t r = begin + kRows * step; r < end; ++r) {
    head_tile<L, Row, 1, kTokens>(table, bytes, x, p, r, 0, out);
  }
}

template <typename L, typename Row>
ROTOR_INLINE void head(const CpuCall& call) {
  const auto& p = call.parameters<HeadParams>();
  const float* x = call.buffer<const float>(0);              // [m, k]
  const std::byte* table = call.buffer<const std::byte>(1);  // [n] rows
  float* out = call.buffer<float>(2);                        // [m, out_stride]
  // One token reads the table once. For many, a chunk of it stays in the cache while they pass.
  const std::size_t chunk = p.m == 1 ? call.end - call.begin : kChunkRows;
  for (std::size_t begin = call.begin; begin < call.end; begin += chunk) {
    const std::size_t end = std::min<std::size_t>(begin + chunk, call.end);
    std::size_t t = 0;
    for (; t + L::kTokens <= p.m; t += L::kTokens) {
      head_rows<L, Row, L::kRows, L::kTokens>(table, x + t * p.k, p, begin, end,
                                              out + t * p.out_stride);
    }
    for (; t < p.m; ++t) {
      head_rows<L, Row, 4, 1>(table, x + t * p.k, p, begin, end, out + t * p.out_stride);
    }
  }
}

}  // namespace
}  // namespace rotor::cpu
