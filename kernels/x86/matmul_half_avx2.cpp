#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/variant.h"
#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx2,fma,f16c")

namespace rotor::cpu {
namespace {

constexpr std::size_t kRows = 16;     // of a group: two registers
constexpr std::size_t kPiece = 256;   // columns whose trits lie unpacked in the first cache
constexpr std::size_t kTokens = 6;    // of a tile: 12 accumulators
constexpr std::size_t kBlock = 1024;  // tokens whose sums lie in scratch
static_assert((kPiece + kBlock) * kRows * sizeof(float) <= kScratchBytes);

// Trits of 16 rows as floats: words of two-bit codes -> trits [columns, kRows]. A permutation looks at
// the two lowest bits of a lane only, so the code selects its trit without a mask.
void unpack(const std::uint32_t* words, std::size_t columns, float* trits) {
  const __m256 table = _mm256_setr_ps(-1, 0, 1, 0, -1, 0, 1, 0);
  for (std::size_t i = 0; i < columns / 16; ++i) {
    for (std::size_t half = 0; half < kRows; half += 8) {
      const __m256i codes =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i * kRows + half));
      float* to = trits + 16 * i * kRows + half;
      ROTOR_UNROLL
      for (int c = 0; c < 16; ++c) {
        const __m256i shifted =
            _mm256_srl_epi32(codes, _mm_cvtsi32_si128(8 * (c % 4) + 2 * (c / 4)));
        _mm256_storeu_ps(to + static_cast<std::size_t>(c) * kRows,
                         _mm256_permutevar_ps(table, shifted));
      }
    }
  }
}

// sums += the product of a piece of trits with kCount tokens. x: [kCount rows, stride] halves.
template <std::size_t kCount>
void add_piece(const float* trits, const std::uint16_t* x, std::size_t stride, std::size_t columns,
               float* sums) {
  // Few tokens take columns in turns, because one multiply-add must wait for the one before it.
  constexpr std::size_t kSets = kCount == 1 ? 4 : kCount <= 3 ? 2 : 1;
  alignas(32) float wide[kCount][kPiece];
  __m256 acc[kSets][kCount][2];
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kCount; ++t) {
    for (std::size_t j = 0; j < columns; j += 8) {
      const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + t * stride + j));
      _mm256_store_ps(wide[t] + j, _mm256_cvtph_ps(eight));
    }
    ROTOR_UNROLL
    for (std::size_t s = 0; s < kSets; ++s) {
      acc[s][t][0] = s == 0 ? _mm256_loadu_ps(sums + t * kRows) : _mm256_setzero_ps();
      acc[s][t][1] = s == 0 ? _mm256_loadu_ps(sums + t * kRows + 8) : _mm256_setzero_ps();
    }
  }
  for (std::size_t j = 0; j < columns; j += kSets) {
    ROTOR_UNROLL
    for (std::size_t s = 0; s < kSets; ++s) {
      const __m256 low = _mm256_loadu_ps(trits + (j + s) * kRows);
      const __m256 high = _mm256_loadu_ps(trits + (j + s) * kRows + 8);
      ROTOR_UNROLL
      for (std::size_t t = 0; t < kCount; ++t) {
        const __m256 value = _mm256_broadcast_ss(wide[t] + j + s);
        acc[s][t][0] = _mm256_fmadd_ps(low, value, acc[s][t][0]);
        acc[s][t][1] = _mm256_fmadd_ps(high, value, acc[s][t][1]);
      }
    }
  }
  ROTOR_UNROLL
  for (std::size_t t = 0; t < kCount; ++t) {
    ROTOR_UNROLL
    for (std::size_t s = 1; s < kSets; ++s) {
      acc[0][t][0] = _mm256_add_ps(acc[0][t][0], acc[s][t][0]);
      acc[0][t][1] = _mm256_add_ps(acc[0][t][1], acc[s][t][1]);
    }
    _mm256_storeu_ps(sums + t * kRows, acc[0][t][0]);
    _mm256_storeu_ps(sums + t * kRows + 8, acc[0][t][1]);
  }
}

constexpr std::array kAddPiece = {add_piece<1>, add_piece<2>, add_piece<3>,
                                  add_piece<4>, add_piece<5>, add_piece<6>};
static_assert(kAddPiece.size() == kTokens);

// One group of rows times `count` tokens: sums [count, kRows].
void multiply_group(const std::uint32_t* words, const std::uint16_t* x, std::size_t stride,
                    std::size_t count, float* trits, float* sums) {
  const std::size_t tiles = (count + kTokens - 1) / kTokens;
  std::fill(sums, sums + count * kRows, 0.0f);
  for (std::size_t j = 0; j < stride; j += kPiece) {
    const std::size_t columns = std::min(kPiece, stride - j);
    unpack(words + j, columns, trits);
    for (std::size_t i = 0; i < tiles; ++i) {
      const std::size_t first = i * count / tiles;
      kAddPiece[(i + 1) * count / tiles - first - 1](trits, x + first * stride + j, stride, columns,
                                                     sums + first * kRows);
    }
  }
}

}  // namespace

// Half-precision activations times two-bit weights, summed in f32.
void matmul_half_avx2(const CpuCall& call) noexcept {
  const auto& p = call.parameters<MatmulParams>();
  const std::uint16_t* x = call.buffer<const std::uint16_t>(0);        // [m, stride]
  const std::uint32_t* weights = call.buffer<const std::uint32_t>(1);  // [n16/16, stride/16, 16]
  const float* scales = call.buffer<const float>(2);                   // [n]
  float* out = call.buffer<float>(3);                                  // [m, n]
  const std::size_t stride = p.stride;
  auto* trits = reinterpret_cast<float*>(call.scratch);  // [kPiece, kRows]
  float* sums = trits + kPiece * kRows;                  // [kBlock, kRows]

  for (std::size_t row = call.begin; row < call.end; row += kRows) {
    const std::size_t rows = std::min(kRows, call.end - row);
    for (std::size_t first = 0; first < p.m; first += kBlock) {
      const std::size_t count = std::min(kBlock, p.m - first);
      multiply_group(weights + row * (stride / 16), x + first * stride, stride, count, trits, sums);
      for (std::size_t t = 0; t < count; ++t) {
        for (std::size_t r = 0; r < rows; ++r) {
          out[(first + t) * p.n + row + r] = scales[row + r] * sums[t * kRows + r];
        }
      }
    }
  }
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
