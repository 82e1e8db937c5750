#include <algorithm>
#include <cstring>

#include "kernels/variant.h"

namespace rotor::cpu {
namespace {

constexpr std::size_t kPiece = 1024;  // columns unpacked at a time, on the stack
constexpr std::size_t kTokens = 8;    // tokens that share an unpacked piece

// Codes as int16: compilers know a multiply-add of int16 pairs on every machine, of bytes on few.
void unpack_words(const std::uint32_t* words, std::size_t columns, std::int16_t* codes) {
  for (std::size_t i = 0; i < columns / 16; ++i) {
    for (unsigned j = 0; j < 4; ++j) {
      const std::uint32_t four = words[i] >> (2 * j);
      for (unsigned b = 0; b < 4; ++b) {
        codes[16 * i + 4 * j + b] = static_cast<std::int16_t>((four >> (8 * b)) & 3u);
      }
    }
  }
}

std::int32_t dot(const std::int16_t* codes, const std::int8_t* q, std::size_t columns) {
  std::int32_t acc = 0;
  for (std::size_t j = 0; j < columns; ++j) {
    acc += std::int32_t{codes[j]} * std::int32_t{static_cast<std::int16_t>(q[j])};
  }
  return acc;
}

}  // namespace

// Two bits per weight, plain C++: the row that every other bit-packed row must beat. Codes 0..2 are
// multiplied as they are and the token's code sum is subtracted once: sum(q t) = sum(q c) - sum(q).
void matmul_bitpacked_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<MatmulParams>();
  const std::int8_t* codes = call.buffer<const std::int8_t>(0);        // [m, stride]
  const TokenScale* tokens = call.buffer<const TokenScale>(1);         // [m]
  const std::uint32_t* weights = call.buffer<const std::uint32_t>(2);  // [n16, stride / 16]
  const float* scales = call.buffer<const float>(3);                   // [n]
  float* out = call.buffer<float>(4);                                  // [m, n]
  const std::size_t stride = p.stride;

  for (std::size_t first = 0; first < p.m; first += kTokens) {
    const std::size_t count = std::min(kTokens, p.m - first);
    for (std::size_t r = call.begin; r < call.end; ++r) {
      const std::uint32_t* words = weights + r * (stride / 16);
      std::int32_t acc[kTokens] = {};
      for (std::size_t j = 0; j < stride; j += kPiece) {
        const std::size_t columns = std::min(kPiece, stride - j);
        std::int16_t piece[kPiece];
        unpack_words(words + j / 16, columns, piece);
        for (std::size_t t = 0; t < count; ++t) {
          acc[t] += dot(piece, codes + (first + t) * stride + j, columns);
        }
      }
      for (std::size_t t = 0; t < count; ++t) {
        const TokenScale& token = tokens[first + t];
        out[(first + t) * p.n + r] =
            static_cast<float>(acc[t] - token.sum) * (scales[r] * token.scale);
      }
    }
  }
}

}  // namespace rotor::cpu
