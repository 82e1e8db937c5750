// Master weights -> ternary weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/packing.h"

namespace rotor {

// Master weights, ternarised as at training time: T = clamp(rne(w * (1 / mu)), -1, 1) with
// mu = max(mean |w|, 1e-5), and the multiplier is 1 / (1 / mu) in single precision: what Hugging
// Face's AutoBitLinear computes in float32. In bf16 it rounds the multiplier to bf16 too; the
// goldens of the demo model tell the two apart: the residual stream after a layer agrees to 3e-7
// (median over the cases) with the single-precision multiplier and to 1e-3 with the rounded one.
struct Ternarised {
  std::vector<std::int8_t> trits;  // [n, k]
  float scale;
};

// bytes: [n, k] of F32, F16 or Bf16. The scale is not finite if a weight is not.
Ternarised ternarise(Packing format, std::span<const std::byte> bytes, std::uint32_t n,
                     std::uint32_t k);

}  // namespace rotor
