// What every op should answer: one plain function per op of kernels/ops.h, with Eigen, in double
// where the op is floating. Nothing here shares code with a kernel; sources are the contract of the
// ops and the text of kernels/packing.h.
//
// A floating reference also derives how far a correct single-precision kernel may be away, per
// element, for any order of summation. u = 2^-24 is the unit roundoff of float, and gamma(n) =
// n u / (1 - n u) bounds the relative error of n roundings in a row (Higham: "Accuracy and Stability
// of Numerical Algorithms", 2nd edition, lemma 3.1). Operations that drivers may round less well
// than to nearest (division, roots, exponentials) count for as many roundings as Vulkan and OpenCL
// allow them units in the last place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/packing.h"
#include "kernels/params.h"

namespace rotor::reference {

inline constexpr double kUnitRoundoff = 0x1p-24;
// gamma(n) of single precision. NaN, within which nothing lies, where there is no bound: n u is not below 1, as
// for what a broken kernel gave.
double gamma(double n);

// Values and the error that each may have; `terms` is the longest sum behind them.
struct Floats {
  std::vector<double> value;
  std::vector<double> bound;
  std::uint32_t terms = 0;
};

// --- Packed bytes -------------------------------------------------------------------------------

// Trits [n, k] of packed weights. Written from the text of packing.h alone. Throws FormatError on a
// code 3 and UsageError if the packing is not ternary.
std::vector<std::int8_t> decode_ternary(Packing packing, std::uint32_t n, std::uint32_t k,
                                        std::span<const std::byte> bytes);
// Values of a row of a table or of a cache.
std::vector<float> decode_row(Packing packing, std::uint32_t k, std::span<const std::byte> bytes);
// The row that holds the values, rounded to nearest.
std::vector<std::byte> encode_row(Packing packing, std::span<const float> values);

// --- Ternary products ---------------------------------------------------------------------------

// acc[m, n] = sum_j codes[m, j] * trits[n, j]; codes are dense, [m, k].
// In int64, three loops.
std::vector<std::int64_t> product_loops(std::span<const std::int8_t> codes,
                                        std::span<const std::int8_t> trits, std::uint32_t m,
                                        std::uint32_t n, std::uint32_t k);
// By Eigen in float: exact while 128 k < 2^24, which is asserted. Large products use `threads`.
std::vector<float> product_eigen(std::span<const std::int8_t> codes,
                                 std::span<const std::int8_t> trits, std::uint32_t m,
                                 std::uint32_t n, std::uint32_t k, unsigned threads = 1);

// float(acc) * (scales[r] * token_scales[t]) on exact products: the epilogue of Matmul.
std::vector<float> scale_products(std::span<const float> products, std::span<const float> scales,
                                  std::span<const float> token_scales);

// sum_j x[m, j] * weights[n, j], times scales[n], in double. For MatmulHalf, MatmulDense and Head
// (empty scales are ones).
Floats matmul(std::span<const float> x, std::span<const float> weights,
              std::span<const float> scales, std::uint32_t m, std::uint32_t n, std::uint32_t k);
// The same for ternary weights, without a float copy of all of them.
Floats matmul(std::span<const float> x, std::span<const std::int8_t> trits,
              std::span<const float> scales, std::uint32_t m, std::uint32_t n, std::uint32_t k,
              unsigned threads = 1);

// --- Norms --------------------------------------------------------------------------------------

// Rows for a norm: x [m, k] and the relative error of each element before the norm starts.
struct NormInput {
  std::vector<double> x;
  double roundings = 0;  // that each element of x has behind it
};
// x + delta, rounded to float as the contract stores it.
std::vector<float> add(std::span<const float> x, std::span<const float> delta);
// max(gate, 0)^2 * up of rows [gate | up].
NormInput relu2(std::span<const float> gate_up, std::uint32_t m, std::uint32_t k);

// x / sqrt(mean(x^2) + epsilon) * gain.
Floats rms_norm(const NormInput& input, std::span<const float> gain, float epsilon, std::uint32_t m,
                std::uint32_t k);

// The quantiser after a norm, before rounding: a code is right if it lies within 0.5 + border of
// position. border is small (a few roundings), so two right kernels differ only next to a tie.
struct Quantised {
  std::vector<double> position;     // [m, k]
  std::vector<double> border;       // [m, k]
  std::vector<double> scale;        // [m]
  std::vector<double> scale_bound;  // [m]
};
Quantised quantise(const NormInput& input, std::span<const float> gain, float epsilon,
                   std::uint32_t m, std::uint32_t k);

// --- Attention ----------------------------------------------------------------------------------

// One head vector rotated by the angles of its position (cos, then sin).
Floats rotate(std::span<const float> head, std::span<const float> angles);

// Output [m, heads * head_dim] for q [m, heads, head_dim] and decoded cache rows keys, values
// [positions, kv_heads, head_dim]; token t is at `first` + t and sees 0 .. first + t.
Floats attention(std::span<const float> q, std::span<const float> keys,
                 std::span<const float> values, const AttentionParams& params, std::uint32_t first);

// --- Calculate ----------------------------------------------------------------------------------

// What a lane gives for its seed.
std::uint32_t calculate(Packing unit, std::uint32_t seed, std::uint32_t rounds);

}  // namespace rotor::reference
