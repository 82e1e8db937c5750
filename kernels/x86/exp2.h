// 2^x of sixteen floats (L is Avx2 or Avx512, which give the same bits). Included inside a target region.
#pragma once

#include "kernels/x86/target.h"

namespace rotor::cpu {
namespace {

// For x <= 0, -infinity and NaN. 2^0 is 1 exactly; below 2^-126 the result is 0; the relative error is
// below 7.4e-8 (checked over all floats from -126 to 0; the polynomial itself is off by 9.2e-9).
//
// x = n + f, n integral and |f| <= 1/2. 2^f = 1 + f q(f), where q interpolates (2^f - 1) / f at the six
// Chebyshev nodes of the interval.
template <typename L>
ROTOR_INLINE typename L::V exp2(typename L::V x) {
  const auto smallest = L::broadcast(-126.0f);
  const auto bounded = L::max(smallest, x);  // NaN stays NaN
  const auto n = L::round(bounded);
  const auto f = L::sub(bounded, n);
  auto q = L::broadcast(0x1.44138ap-13f);
  q = L::fma(q, f, L::broadcast(0x1.5f0890p-10f));
  q = L::fma(q, f, L::broadcast(0x1.3b2a54p-7f));
  q = L::fma(q, f, L::broadcast(0x1.c6af6cp-5f));
  q = L::fma(q, f, L::broadcast(0x1.ebfbe0p-3f));
  q = L::fma(q, f, L::broadcast(0x1.62e430p-1f));
  const auto power = L::fma(q, f, L::broadcast(1.0f));
  return L::where_less(x, smallest, L::zero(), L::scale(power, n));
}

}  // namespace
}  // namespace rotor::cpu
