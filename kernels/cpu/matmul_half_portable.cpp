#include <algorithm>

#include "core/half.h"
#include "kernels/variant.h"

namespace rotor::cpu {
namespace {

constexpr std::size_t kPiece = 1024;  // columns at a time
constexpr std::size_t kTokens = 16;   // tokens that share an unpacked piece
constexpr std::size_t kLanes = 16;    // partial sums: short chains, and lanes for the compiler
static_assert(kTokens * kPiece * sizeof(float) <= kScratchBytes);

void unpack_words(const std::uint32_t* words, std::size_t columns, float* trits) {
  for (std::size_t i = 0; i < columns / 16; ++i) {
    for (unsigned j = 0; j < 4; ++j) {
      const std::uint32_t four = words[i] >> (2 * j);
      for (unsigned b = 0; b < 4; ++b) {
        const auto code = static_cast<std::int32_t>((four >> (8 * b)) & 3u);
        trits[16 * i + 4 * j + b] = static_cast<float>(code - 1);
      }
    }
  }
}

float dot(const float* trits, const float* x, std::size_t columns) {
  float lanes[kLanes] = {};
  for (std::size_t j = 0; j < columns; j += kLanes) {
    for (std::size_t l = 0; l < kLanes; ++l) lanes[l] += trits[j + l] * x[j + l];
  }
  for (std::size_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::size_t l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  }
  return lanes[0];
}

}  // namespace

// Half-precision activations times two-bit weights, summed in f32. Works in pieces of columns whose
// activations are converted once; `out` carries the sums from piece to piece.
void matmul_half_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<MatmulParams>();
  const std::uint16_t* x = call.buffer<const std::uint16_t>(0);        // [m, stride]
  const std::uint32_t* weights = call.buffer<const std::uint32_t>(1);  // [n16, stride / 16]
  const float* scales = call.buffer<const float>(2);                   // [n]
  float* out = call.buffer<float>(3);                                  // [m, n]
  auto* wide = reinterpret_cast<float*>(call.scratch);                 // [kTokens, kPiece]
  const std::size_t stride = p.stride;

  for (std::size_t first = 0; first < p.m; first += kTokens) {
    const std::size_t count = std::min(kTokens, p.m - first);
    for (std::size_t j = 0; j < stride; j += kPiece) {
      const std::size_t columns = std::min(kPiece, stride - j);
      for (std::size_t t = 0; t < count; ++t) {
        const std::uint16_t* row = x + (first + t) * stride + j;
        std::transform(row, row + columns, wide + t * kPiece, f16_to_f32);
      }
      for (std::size_t r = call.begin; r < call.end; ++r) {
        float trits[kPiece];
        unpack_words(weights + r * (stride / 16) + j / 16, columns, trits);
        for (std::size_t t = 0; t < count; ++t) {
          float& sum = out[(first + t) * p.n + r];
          const float before = j == 0 ? 0.0f : sum;
          const float after = before + dot(trits, wide + t * kPiece, columns);
          sum = j + columns == stride ? scales[r] * after : after;
        }
      }
    }
  }
}

}  // namespace rotor::cpu
