// What the ops that work on sixteen elements at a time share (L is Avx2 or Avx512). Included inside a
// target region.
#pragma once

#include <cstddef>

#include "kernels/x86/target.h"

namespace rotor::cpu {
namespace {

// body(j, lanes) for j = 0, 16, ... below k; `lanes` is L::All, at the end a count.
template <typename L, typename Body>
ROTOR_INLINE void for_each_sixteen(std::size_t k, Body body) {
  std::size_t j = 0;
  for (; j + 16 <= k; j += 16) body(j, typename L::All{});
  if (j < k) body(j, k - j);
}

// Codes of scaled values, |scaled| <= 127: nearest integers, ties to even. In this order a NaN becomes
// -127, as in round_code. Lanes from n on are 0.
template <typename L, typename Count>
ROTOR_INLINE typename L::Ints codes_of(typename L::V scaled, Count n) {
  const auto above = L::max(scaled, L::broadcast(-127.0f));
  return L::nearest(L::first(L::min(above, L::broadcast(127.0f)), n));
}

}  // namespace
}  // namespace rotor::cpu
