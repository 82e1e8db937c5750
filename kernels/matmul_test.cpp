// Every matmul row that this machine can run, against loops over the logical weights.
#include <gtest/gtest.h>

#include <cmath>

#include "core/half.h"
#include "kernels/matmul_check.h"

namespace rotor {
namespace {

std::string test_name(const testing::TestParamInfo<const KernelVariant*>& info) {
  std::string name(info.param->name);
  for (char& c : name) {
    if (c == '/') c = '_';
  }
  return name;
}

class Matmul : public testing::TestWithParam<const KernelVariant*> {};
TEST_P(Matmul, IsExact) {
  EXPECT_EQ(first_error(*GetParam()), "");
}
INSTANTIATE_TEST_SUITE_P(Rows, Matmul, testing::ValuesIn(rows_here(Op::Matmul)), test_name);

// Floating activations, [m, k], and the result of a float row on them.
struct FloatProduct {
  MatmulParams params;
  TernaryMatrix weights;
  std::vector<float> x;  // [m, k], halves
};

FloatProduct make_float_product(const MatmulShape& shape, bool integers, std::uint64_t seed) {
  Random random(seed);
  FloatProduct p{{shape.m, shape.n, shape.k, activation_stride(shape.k)},
                 fill_trits(TritFill::Random, shape, random),
                 {}};
  for (std::size_t i = 0; i < std::size_t{shape.m} * shape.k; ++i) {
    const double value = 16 * random.uniform() - 8;
    p.x.push_back(f16_to_f32(f32_to_f16(static_cast<float>(integers ? std::floor(value) : value))));
  }
  return p;
}

std::vector<float> run_float_row(const KernelVariant& row, const FloatProduct& p) {
  const auto& [m, n, k, stride] = p.params;
  std::vector<float> out(std::size_t{m} * n, NAN);
  const std::vector<float> scales = p.weights.row_scales();
  const std::uint32_t half = n / 2 / row.grain() * row.grain();
  const std::vector<std::uint32_t> cuts(half > 0 ? 1 : 0, half);
  if (row.op == Op::MatmulDense) {
    const std::vector<float> dense(p.weights.trits().begin(), p.weights.trits().end());
    run_row(row, {p.x.data(), dense.data(), scales.data(), out.data()}, p.params, cuts);
  } else {
    std::vector<std::uint16_t> halves(std::size_t{m} * stride);
    for (std::size_t i = 0; i < p.x.size(); ++i) {
      halves[i / k * stride + i % k] = f32_to_f16(p.x[i]);
    }
    const std::vector<std::byte> weights = pack(p.weights, row.packing);
    run_row(row, {halves.data(), weights.data(), scales.data(), out.data()}, p.params, cuts);
  }
  return out;
}

// The sum in any order of f32 is off by at most gamma(k) * sum |x t| (Higham, "Accuracy and Stability
// of Numerical Algorithms", section 3.1), and the scaling rounds once more. Integers below 2^24 are
// exact.
void check_float_row(const KernelVariant& row, const MatmulShape& shape, bool integers,
                     std::uint64_t seed) {
  const FloatProduct p = make_float_product(shape, integers, seed);
  const std::vector<float> out = run_float_row(row, p);
  const std::vector<float> scales = p.weights.row_scales();
  const double unit = 0x1p-24 * shape.k;
  for (std::uint32_t t = 0; t < shape.m; ++t) {
    for (std::uint32_t r = 0; r < shape.n; ++r) {
      double sum = 0, magnitude = 0;
      for (std::uint32_t j = 0; j < shape.k; ++j) {
        const double product = double{p.x[std::size_t{t} * shape.k + j]} * p.weights.row(r)[j];
        sum += product;
        magnitude += std::fabs(product);
      }
      const double got = out[std::size_t{t} * shape.n + r];
      const std::string where = std::string(row.name) + " token " + std::to_string(t) + " row " +
                                std::to_string(r) + " seed " + std::to_string(seed);
      if (integers) {
        ASSERT_EQ(got, scales[r] * static_cast<float>(sum)) << where;
      } else {
        const double bound = unit / (1 - unit) * magnitude + 0x1p-23 * std::fabs(sum);
        ASSERT_LE(std::fabs(got - scales[r] * sum), scales[r] * bound) << where;
      }
    }
  }
}

class FloatMatmul : public testing::TestWithParam<const KernelVariant*> {};
TEST_P(FloatMatmul, IsExactOnIntegersAndBoundedOnReals) {
  std::uint64_t seed = 100;
  std::vector<MatmulShape> shapes = matmul_shapes();
  shapes.push_back({3, 20, 6912});
  for (const MatmulShape& shape : shapes) {
    ASSERT_NO_FATAL_FAILURE(check_float_row(*GetParam(), shape, true, ++seed));
    ASSERT_NO_FATAL_FAILURE(check_float_row(*GetParam(), shape, false, ++seed));
  }
}
INSTANTIATE_TEST_SUITE_P(Half, FloatMatmul, testing::ValuesIn(rows_here(Op::MatmulHalf)),
                         test_name);
INSTANTIATE_TEST_SUITE_P(Dense, FloatMatmul, testing::ValuesIn(rows_here(Op::MatmulDense)),
                         test_name);

}  // namespace
}  // namespace rotor
