// Rows of tables and of the cache, sixteen elements at a time (L is Avx2 or Avx512): what
// kernels/cpu/float_rows.h is for the plain kernels. Included inside a target region.
#pragma once

#include <cstring>

#include "kernels/packing.h"
#include "kernels/x86/target.h"

namespace rotor::cpu {
namespace {

// `at` reads elements j ... of a row of k, n of them; they are to be multiplied by `scale`, once per sum.
template <typename L>
struct F32Lanes {
  static constexpr Packing kPacking = Packing::F32;
  static constexpr std::size_t kElementBytes = 4;
  static constexpr bool kScaled = false;
  template <typename Count>
  ROTOR_INLINE static typename L::V at(const std::byte* row, std::size_t j, Count n) {
    return L::load(reinterpret_cast<const float*>(row) + j, n);
  }
  static float scale(const std::byte*, std::size_t) { return 1.0f; }
};

template <typename L>
struct Bf16Lanes {
  static constexpr Packing kPacking = Packing::Bf16;
  static constexpr std::size_t kElementBytes = 2;
  static constexpr bool kScaled = false;
  template <typename Count>
  ROTOR_INLINE static typename L::V at(const std::byte* row, std::size_t j, Count n) {
    return L::load_bf16(reinterpret_cast<const std::uint16_t*>(row) + j, n);
  }
  static float scale(const std::byte*, std::size_t) { return 1.0f; }
};

template <typename L>
struct F16Lanes {
  static constexpr Packing kPacking = Packing::F16;
  static constexpr std::size_t kElementBytes = 2;
  static constexpr bool kScaled = false;
  template <typename Count>
  ROTOR_INLINE static typename L::V at(const std::byte* row, std::size_t j, Count n) {
    return L::load_f16(reinterpret_cast<const std::uint16_t*>(row) + j, n);
  }
  static float scale(const std::byte*, std::size_t) { return 1.0f; }
};

template <typename L>
struct Int8Lanes {
  static constexpr Packing kPacking = Packing::Int8Row;
  static constexpr std::size_t kElementBytes = 1;
  static constexpr bool kScaled = true;
  template <typename Count>
  ROTOR_INLINE static typename L::V at(const std::byte* row, std::size_t j, Count n) {
    return L::load_i8(reinterpret_cast<const std::int8_t*>(row) + j, n);
  }
  static float scale(const std::byte* row, std::size_t k) {
    float scale;
    std::memcpy(&scale, row + (k + 3) / 4 * 4, sizeof scale);
    return scale;
  }
};

template <typename L>
struct Bits6Lanes {
  static constexpr Packing kPacking = Packing::Bits6Row;
  static constexpr bool kScaled = false;
  // Behind the end of a row lie codes of zero.
  template <typename Count>
  ROTOR_INLINE static typename L::V at(const std::byte* row, std::size_t j, Count) {
    const std::byte* group = row + j / 32 * 26;
    std::uint16_t scale;
    std::memcpy(&scale, group, sizeof scale);
    return L::mul(L::load_six_bits(group + 2 + j % 32 / 16 * 12), L::broadcast_f16(scale));
  }
  static float scale(const std::byte*, std::size_t) { return 1.0f; }
};

}  // namespace
}  // namespace rotor::cpu
