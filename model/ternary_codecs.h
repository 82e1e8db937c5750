// How file formats store ternary matrices: bytes <-> trits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/packing.h"

namespace rotor {

// Packed Hugging Face files: [ceil(n/4), k] bytes; byte (r, c) holds column c of rows r, r + P,
// r + 2P, r + 3P in its 2-bit fields, lowest first, P = ceil(n/4); code = trit + 1. Nothing if a
// field has code 3. Fields of rows past n are ignored otherwise.
std::optional<std::vector<std::int8_t>> decode_strided(std::span<const std::byte> bytes,
                                                       std::uint32_t n, std::uint32_t k);

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
