// Norms and the quantiser, sixteen elements at a time (L is Avx2 or Avx512): the arithmetic of
// kernels/cpu/quantize.h in the same order, so the same bits. Included inside a target region.
#pragma once

#include <algorithm>
#include <bit>

#include "kernels/cpu/quantize.h"
#include "kernels/variant.h"
#include "kernels/x86/lanes.h"

namespace rotor::cpu {
namespace {

// x of a norm, as it comes.
template <typename L>
struct PlainLanes {
  const float* x;
  template <typename Count>
  ROTOR_INLINE typename L::V at(std::size_t j, Count n) const {
    return L::load(x + j, n);
  }
};

// x = max(gate, 0)^2 * up. A NaN gate stays NaN.
template <typename L>
struct Relu2Lanes {
  const float* gate;
  const float* up;
  template <typename Count>
  ROTOR_INLINE typename L::V at(std::size_t j, Count n) const {
    const auto g = L::max(L::zero(), L::load(gate + j, n));
    return L::mul(L::mul(g, g), L::load(up + j, n));
  }
};

template <typename L, typename Source>
struct NormedLanes {
  Source x;
  float inverse_rms;
  const float* gain;
  template <typename Count>
  ROTOR_INLINE typename L::V at(std::size_t j, Count n) const {
    const auto y = L::mul(L::mul(x.at(j, n), L::broadcast(inverse_rms)), L::load(gain + j, n));
    return L::first(y, n);  // a NaN scale would fill the lanes behind the last element
  }
};

template <typename L, typename Source>
ROTOR_INLINE NormedLanes<L, Source> norm_lanes(Source x, const float* gain, std::size_t k,
                                               float epsilon) {
  auto sums = L::no_squares();
  for_each_sixteen<L>(k, [&](std::size_t j, auto n) { sums = L::add_squares(sums, x.at(j, n)); });
  return {x, inverse_rms(L::total(sums), k, epsilon), gain};
}

template <typename L, typename Source>
ROTOR_INLINE TokenScale quantize_lanes(const Source& y, std::size_t k, std::size_t stride,
                                       std::int8_t* codes) {
  auto largest = L::no_ints();
  for_each_sixteen<L>(
      k, [&](std::size_t j, auto n) { largest = L::larger_magnitude(largest, y.at(j, n)); });
  const float top = std::bit_cast<float>(
      std::max(L::largest(largest), std::bit_cast<std::int32_t>(kSmallestTop)));
  const auto steps = L::broadcast(127.0f / top);
  auto sums = L::no_ints();
  for_each_sixteen<L>(k, [&](std::size_t j, auto n) {
    const auto code = codes_of<L>(L::mul(y.at(j, n), steps), n);
    sums = L::add(sums, code);
    L::store_bytes(codes + j, code, n);
  });
  std::fill(codes + k, codes + stride, std::int8_t{0});
  return {top * (1.0f / 127), L::total(sums)};
}

template <typename L>
ROTOR_INLINE void add_lanes(float* x, const float* delta, std::size_t k) {
  for_each_sixteen<L>(k, [&](std::size_t j, auto n) {
    L::store(x + j, L::add(L::load(x + j, n), L::load(delta + j, n)), n);
  });
}

template <typename L>
ROTOR_INLINE void norm_quant(const CpuCall& call) {
  const auto& p = call.parameters<NormParams>();
  const float* x = call.buffer<const float>(0);      // [m, k]
  const float* gain = call.buffer<const float>(1);   // [k]
  std::int8_t* codes = call.buffer<std::int8_t>(2);  // [m, stride]
  TokenScale* tokens = call.buffer<TokenScale>(3);   // [m]
  const std::size_t k = p.k;
  for (std::size_t t = call.begin; t < call.end; ++t) {
    const auto y = norm_lanes<L>(PlainLanes<L>{x + t * k}, gain, k, p.epsilon);
    tokens[t] = quantize_lanes<L>(y, k, p.stride, codes + t * p.stride);
  }
}

template <typename L>
ROTOR_INLINE void add_norm_quant(const CpuCall& call) {
  const auto& p = call.parameters<NormParams>();
  float* x = call.buffer<float>(0);                  // [m, k]
  const float* delta = call.buffer<const float>(1);  // [m, k]
  const float* gain = call.buffer<const float>(2);   // [k]
  std::int8_t* codes = call.buffer<std::int8_t>(3);  // [m, stride]
  TokenScale* tokens = call.buffer<TokenScale>(4);   // [m]
  const std::size_t k = p.k;
  for (std::size_t t = call.begin; t < call.end; ++t) {
    add_lanes<L>(x + t * k, delta + t * k, k);
    const auto y = norm_lanes<L>(PlainLanes<L>{x + t * k}, gain, k, p.epsilon);
    tokens[t] = quantize_lanes<L>(y, k, p.stride, codes + t * p.stride);
  }
}

template <typename L>
ROTOR_INLINE void relu2_norm_quant(const CpuCall& call) {
  const auto& p = call.parameters<NormParams>();
  const float* gate_up = call.buffer<const float>(0);  // [m, 2k]
  const float* gain = call.buffer<const float>(1);     // [k]
  std::int8_t* codes = call.buffer<std::int8_t>(2);    // [m, stride]
  TokenScale* tokens = call.buffer<TokenScale>(3);     // [m]
  const std::size_t k = p.k;
  for (std::size_t t = call.begin; t < call.end; ++t) {
    const Relu2Lanes<L> x{gate_up + t * 2 * k, gate_up + t * 2 * k + k};
    const auto y = norm_lanes<L>(x, gain, k, p.epsilon);
    tokens[t] = quantize_lanes<L>(y, k, p.stride, codes + t * p.stride);
  }
}

template <typename L>
ROTOR_INLINE void add_norm(const CpuCall& call) {
  const auto& p = call.parameters<NormParams>();
  float* x = call.buffer<float>(0);                  // [m, k]
  const float* delta = call.buffer<const float>(1);  // [m, k]
  const float* gain = call.buffer<const float>(2);   // [k]
  float* out = call.buffer<float>(3);                // [m, k]
  const std::size_t k = p.k;
  for (std::size_t t = call.begin; t < call.end; ++t) {
    add_lanes<L>(x + t * k, delta + t * k, k);
    const auto y = norm_lanes<L>(PlainLanes<L>{x + t * k}, gain, k, p.epsilon);
    for_each_sixteen<L>(k,
                        [&](std::size_t j, auto n) { L::store(out + t * k + j, y.at(j, n), n); });
  }
}

}  // namespace
}  // namespace rotor::cpu
