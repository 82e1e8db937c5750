#include <algorithm>

#include "kernels/variant.h"

namespace rotor::cpu {
namespace {

// Activations in the order in which weights lie in their words: byte p of a row of weights holds the
// codes of four columns, which come from plane 0, 1, 2 and 3 of the result.
void split_into_planes(const std::int8_t* q, std::size_t stride, std::int8_t* planes) {
  for (std::size_t i = 0; i < stride / 16; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      std::copy_n(q + 16 * i + 4 * j, 4, planes + j * (stride / 4) + 4 * i);
    }
  }
}

// Four products, of 2 * 128 at most, are summed in 16 bits: a form that GCC turns into vectors for
// every machine.
std::int32_t dot(const std::uint8_t* codes, const std::int8_t* planes, std::size_t bytes) {
  std::int32_t acc = 0;
  for (std::size_t p = 0; p < bytes; ++p) {
    const unsigned byte = codes[p];
    acc += static_cast<std::int16_t>(static_cast<int>(byte & 3) * planes[p] +
                                     static_cast<int>((byte >> 2) & 3) * planes[bytes + p] +
                                     static_cast<int>((byte >> 4) & 3) * planes[2 * bytes + p] +
                                     static_cast<int>((byte >> 6) & 3) * planes[3 * bytes + p]);
  }
  return acc;
}

}  // namespace

// Two bits per weight, plain C++: the row that every other bit-packed row must beat. Codes 0..2 are
// multiplied as they are and the token's code sum is subtracted once: sum(q t) = sum(q c) - sum(q).
void matmul_bitpacked_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<MatmulParams>();
  const std::int8_t* codes = call.buffer<const std::int8_t>(0);      // [m, stride]
  const TokenScale* tokens = call.buffer<const TokenScale>(1);       // [m]
  const std::uint8_t* weights = call.buffer<const std::uint8_t>(2);  // [n16, stride / 4]
  const float* scales = call.buffer<const float>(3);                 // [n]
  float* out = call.buffer<float>(4);                                // [m, n]
  auto* planes = reinterpret_cast<std::int8_t*>(call.scratch);       // [block, 4, stride / 4]
  const std::size_t stride = p.stride;
  const std::size_t block = std::min<std::size_t>(p.m, kScratchBytes / stride);

  for (std::size_t first = 0; first < p.m; first += block) {
    const std::size_t count = std::min(block, p.m - first);
    for (std::size_t t = 0; t < count; ++t) {
      split_into_planes(codes + (first + t) * stride, stride, planes + t * stride);
    }
    for (std::size_t r = call.begin; r < call.end; ++r) {
      for (std::size_t t = 0; t < count; ++t) {
        const TokenScale& token = tokens[first + t];
        const std::int32_t acc =
            dot(weights + r * (stride / 4), planes + t * stride, stride / 4) - token.sum;
        out[(first + t) * p.n + r] = static_cast<float>(acc) * (scales[r] * token.scale);
      }
    }
  }
}

}  // namespace rotor::cpu
