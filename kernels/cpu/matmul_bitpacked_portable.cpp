#include <cstring>

#include "kernels/variant.h"

namespace rotor::cpu {

// Two bits per weight, plain C++: the row that every other bit-packed row must beat. Codes 0..2 are
// multiplied as they are and the token's code sum is subtracted once: sum(q t) = sum(q c) - sum(q).
void matmul_bitpacked_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<MatmulParams>();
  const std::int8_t* codes = call.buffer<const std::int8_t>(0);       // [m, stride]
  const TokenScale* tokens = call.buffer<const TokenScale>(1);        // [m]
  const std::uint32_t* weights = call.buffer<const std::uint32_t>(2); // [n16, stride / 16]
  const float* scales = call.buffer<const float>(3);                  // [n]
  float* out = call.buffer<float>(4);                                 // [m, n]
  const std::size_t stride = p.stride;
  auto* row = reinterpret_cast<std::uint8_t*>(call.scratch);  // [stride], one row of codes

  for (std::size_t r = call.begin; r < call.end; ++r) {
    const std::uint32_t* words = weights + r * (stride / 16);
    for (std::size_t i = 0; i < stride / 16; ++i) {
      for (unsigned j = 0; j < 4; ++j) {
        const std::uint32_t four = (words[i] >> (2 * j)) & 0x03030303u;
        std::memcpy(row + 16 * i + 4 * j, &four, sizeof four);
      }
    }
    for (std::size_t t = 0; t < p.m; ++t) {
      const std::int8_t* q = codes + t * stride;
      std::int32_t acc = 0;
      for (std::size_t j = 0; j < stride; ++j) acc += std::int32_t{row[j]} * q[j];
      acc -= tokens[t].sum;
      out[t * p.n + r] = static_cast<float>(acc) * (scales[r] * tokens[t].scale);
    }
  }
}

}  // namespace rotor::cpu
