// The AVX-VNNI kernel. Included inside a target region that has vpdpbusd for 256 bits in one of its
// two forms; ROTOR_DPBUSD names the intrinsic. (AVX-VNNI and AVX-512 VNNI encode the same operation
// differently; the tests run the second where the machine lacks the first.)
#pragma once

#include "kernels/cpu/matmul_dot.h"
#include "kernels/x86/ymm.h"

#ifndef ROTOR_DPBUSD
#define ROTOR_DPBUSD _mm256_dpbusd_avx_epi32
#endif

namespace rotor::cpu {
namespace {

struct YmmDot : Ymm {
  static constexpr std::size_t kGroup = 2;
  static constexpr std::size_t kVectors = 2;
  static constexpr std::size_t kTokens = 4;  // clang 14 spills with five
  static constexpr std::size_t kFewTokens = kTokens;
  static constexpr std::size_t kSpread = 8;
  static constexpr bool kUnsigned = true;
  static Ints dot(Ints sum, Ints codes, Ints q) { return ROTOR_DPBUSD(sum, codes, q); }
};

}  // namespace
}  // namespace rotor::cpu
