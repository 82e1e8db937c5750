// The activation quantiser and the norm before it, in plain C++. The order of every sum is part of
// the contract (kernels/ops.h), so rows of all instruction sets give the same bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/params.h"

namespace rotor::cpu {

// Smallest divisor of the quantiser: an all-zero token gets the scale 1e-5 / 127.
inline constexpr float kSmallestTop = 1e-5f;

// x of a norm, as it comes.
struct PlainSource {
  const float* x;
  float operator[](std::size_t j) const { return x[j]; }
};

// x = max(gate, 0)^2 * up. A NaN gate stays NaN.
struct Relu2Source {
  const float* gate;
  const float* up;
  float operator[](std::size_t j) const {
    const float g = gate[j] < 0 ? 0.0f : gate[j];
    return g * g * up[j];
  }
};

// A normalised row: what the quantiser sees.
template <typename Source>
struct Normed {
  Source x;
  float inverse_rms;
  const float* gain;
  float operator[](std::size_t j) const { return x[j] * inverse_rms * gain[j]; }
};

// Sum of squares of k elements: 16 partial sums in double, number i taking the elements i mod 16,
// then i + 8 is added to i, i + 4 to i, i + 2, i + 1. Squares of f32 are exact in double.
template <typename Source>
double sum_of_squares(const Source& x, std::size_t k) {
  double lanes[16] = {};
  std::size_t j = 0;
  for (; j + 16 <= k; j += 16) {
    for (std::size_t i = 0; i < 16; ++i) {
      const double v = x[j + i];
      lanes[i] += v * v;
    }
  }
  for (std::size_t i = 0; j < k; ++i, ++j) {
    const double v = x[j];
    lanes[i] += v * v;
  }
  for (std::size_t half = 8; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}

// 1 / sqrt(mean + epsilon), rounded once.
inline float inverse_rms(double sum_of_squares, std::size_t k, float epsilon) {
  return static_cast<float>(1.0 /
                            std::sqrt(sum_of_squares / static_cast<double>(k) + double{epsilon}));
}

// Nearest integer of |v| <= 127, ties to even. Adding 1.5 * 2^23 leaves it in the low mantissa
// bits. NaN, which a broken checkpoint can bring, gives -127.
inline std::int32_t round_code(float v) {
  v = v > -127.0f ? v : -127.0f;
  v = v < 127.0f ? v : 127.0f;
  return std::bit_cast<std::int32_t>(v + 0x1.8p23f) - std::bit_cast<std::int32_t>(0x1.8p23f);
}

// max(max |y|, kSmallestTop), found on the bit patterns: they order like the magnitudes, with NaN
// above all, so a NaN anywhere makes the scale of its token NaN and stays visible.
template <typename Source>
float top_of(const Source& y, std::size_t k) {
  std::int32_t top = std::bit_cast<std::int32_t>(kSmallestTop);
  for (std::size_t j = 0; j < k; ++j) {
    top = std::max(top, std::bit_cast<std::int32_t>(y[j]) & 0x7FFFFFFF);
  }
  return std::bit_cast<float>(top);
}

// codes: [stride], zero from k on.
template <typename Source>
TokenScale quantize(const Source& y, std::size_t k, std::size_t stride, std::int8_t* codes) {
  const float top = top_of(y, k);
  const float steps = 127.0f / top;
  std::int32_t sum = 0;
  for (std::size_t j = 0; j < k; ++j) {
    const std::int32_t code = round_code(y[j] * steps);
    codes[j] = static_cast<std::int8_t>(code);
    sum += code;
  }
  std::fill(codes + k, codes + stride, std::int8_t{0});
  return {top * (1.0f / 127), sum};
}

// Norm and quantiser of one token.
template <typename Source>
TokenScale norm_quantize(const Source& x, const float* gain, const NormParams& p,
                         std::int8_t* codes) {
  const float inverse = inverse_rms(sum_of_squares(x, p.k), p.k, p.epsilon);
  return quantize(Normed<Source>{x, inverse, gain}, p.k, p.stride, codes);
}

// x += delta, in place.
inline void add_in_place(float* x, const float* delta, std::size_t k) {
  for (std::size_t j = 0; j < k; ++j) x[j] += delta[j];
}

}  // namespace rotor::cpu
