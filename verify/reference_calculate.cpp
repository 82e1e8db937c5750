#include <bit>
#include <cassert>

#include "core/half.h"
#include "verify/reference.h"

namespace rotor::reference {
namespace {

std::uint32_t dot_of_bytes(std::uint32_t a, std::uint32_t b) {
  std::int32_t sum = 0;
  for (int shift = 0; shift < 32; shift += 8) {
    sum += static_cast<std::int8_t>(a >> shift) * static_cast<std::int8_t>(b >> shift);
  }
  return static_cast<std::uint32_t>(sum);
}

std::uint32_t repeated_integer(Packing unit, std::uint32_t seed, std::uint32_t i,
                               std::uint32_t steps) {
  std::uint32_t x = seed * (2 * i + 1) + i;
  const auto factor = [&](std::uint32_t bits) { return static_cast<std::int32_t>(bits & 7) - 3; };
  const auto product = static_cast<std::uint32_t>(32 * factor(seed) * factor(seed >> 3));
  for (std::uint32_t step = 0; step < steps; ++step) {
    if (unit == Packing::Int8) {
      x += dot_of_bytes(x, seed * 0x9E3779B1u);
    } else if (unit == Packing::Int8x16) {
      x += product;
    } else {
      x = x * (seed | 1u) + (seed >> 3);
    }
  }
  return x;
}

// Products with a half are exact, and the sum of two halves is exact in single precision: one rounding a
// step, whichever way a device goes.
std::uint32_t repeated_float(bool half, std::uint32_t seed, std::uint32_t first,
                             std::uint32_t steps) {
  float x = static_cast<float>(first);
  const float f = seed >> 31 == 0 ? 0.5f : -0.5f;
  const float c = static_cast<float>(1 + (seed >> 16 & 127));
  for (std::uint32_t step = 0; step < steps; ++step) {
    x = x * f + c;
    if (half) x = f16_to_f32(f32_to_f16(x));
  }
  return half ? f32_to_f16(x) : std::bit_cast<std::uint32_t>(x);
}

}  // namespace

std::uint32_t calculate(Packing unit, std::uint32_t seed, std::uint32_t rounds) {
  const std::uint32_t steps = rounds * ROTOR_STEPS;
  std::uint32_t all = 0;
  for (std::uint32_t i = 0; i < ROTOR_SUMS; ++i) {
    std::uint32_t bits = 0;
    switch (unit) {
      case Packing::F32:
        bits = repeated_float(false, seed, (seed & 255) + i, steps);
        break;
      case Packing::F16:
        bits = repeated_float(true, seed, (seed & 255) + i, steps) |
               repeated_float(true, seed, (seed >> 8 & 255) + i, steps) << 16;
        break;
      default:
        bits = repeated_integer(unit, seed, i, steps);
    }
    all = all * 31 + bits;
  }
  return all;
}

}  // namespace rotor::reference
