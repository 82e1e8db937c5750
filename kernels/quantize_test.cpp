// The activation quantiser, through every row that contains it. With x = 1 everywhere and epsilon 0
// the norm is the identity, so the gains are the numbers that get quantised.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/run_row.h"

namespace rotor {
namespace {

struct Quantised {
  std::vector<std::int8_t> codes;  // [stride]
  TokenScale token;
};

// x = 1 as each op makes it: directly, as a sum, as a product.
Quantised quantise(const KernelVariant& row, const std::vector<float>& y, float x = 1.0f,
                   float epsilon = 0) {
  const auto k = static_cast<std::uint32_t>(y.size());
  const NormParams p{1, k, activation_stride(k), epsilon};
  Quantised q{std::vector<std::int8_t>(p.stride, 99), {99, 99}};
  switch (row.op) {
    case Op::NormQuant: {
      const std::vector<float> input(k, x);
      run_row(row, {input.data(), y.data(), q.codes.data(), &q.token}, p);
      break;
    }
    case Op::AddNormQuant: {
      std::vector<float> input(k, 0.25f * x);
      const std::vector<float> delta(k, 0.75f * x);
      run_row(row, {input.data(), delta.data(), y.data(), q.codes.data(), &q.token}, p);
      break;
    }
    default: {
      std::vector<float> gate_up(2 * k, 1.0f);
      std::fill(gate_up.begin() + k, gate_up.end(), x);
      run_row(row, {gate_up.data(), y.data(), q.codes.data(), &q.token}, p);
    }
  }
  return q;
}

std::vector<const KernelVariant*> quantising_rows() {
  std::vector<const KernelVariant*> rows;
  for (const Op op : {Op::NormQuant, Op::AddNormQuant, Op::Relu2NormQuant}) {
    for (const KernelVariant* row : rows_here(op)) rows.push_back(row);
  }
  return rows;
}

class Quantiser : public testing::TestWithParam<const KernelVariant*> {};

INSTANTIATE_TEST_SUITE_P(Rows, Quantiser, testing::ValuesIn(quantising_rows()),
                         [](const auto& row) { return std::string(row.param->name.substr(4)); });

TEST_P(Quantiser, RoundsTiesToEven) {
  // The maximum is 127, so the step is 1 and every .5 is a tie.
  const std::vector<float> y = {127.0f, 0.5f,   1.5f,    2.5f,  -0.5f,  -1.5f, -2.5f,
                                125.5f, 126.5f, -126.5f, 3.25f, -3.75f, 0.0f,  -0.0f};
  const std::vector<int> want = {127, 0, 2, 2, 0, -2, -2, 126, 126, -126, 3, -4, 0, 0};
  const Quantised q = quantise(*GetParam(), y);
  for (std::size_t j = 0; j < y.size(); ++j) EXPECT_EQ(q.codes[j], want[j]) << y[j];
}

TEST_P(Quantiser, ZeroTokenGetsTheSmallestScale) {
  const Quantised q = quantise(*GetParam(), std::vector<float>(70, 1.0f), 0.0f, 1e-5f);
  EXPECT_EQ(q.token.scale, 1e-5f * (1.0f / 127));
  EXPECT_EQ(q.token.sum, 0);
  for (const std::int8_t code : q.codes) EXPECT_EQ(code, 0);
}

TEST_P(Quantiser, TinyTokensKeepTheSmallestScale) {
  const Quantised q = quantise(*GetParam(), {5e-6f, -1e-5f, 1e-39f});
  EXPECT_EQ(q.token.scale, 1e-5f * (1.0f / 127));
  EXPECT_EQ(q.codes[0], 64);  // 63.5, which 127 / 1e-5 in f32 lifts or leaves at the tie: even
  EXPECT_EQ(q.codes[1], -127);
  EXPECT_EQ(q.codes[2], 0);
}

TEST_P(Quantiser, LargestMagnitudeGets127AndNothingLess) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::size_t k = 1 + seed % 67;
    const float magnitude = std::ldexp(1.0f, static_cast<int>(seed % 60) - 16);
    std::vector<float> y = random_floats(k, magnitude, seed);
    const std::size_t at = seed % k;
    const float top = 4 * magnitude * (1 + static_cast<float>(seed) * 0x1p-23f);
    y[at] = seed % 2 == 0 ? top : -top;
    const Quantised q = quantise(*GetParam(), y);
    EXPECT_EQ(q.codes[at], seed % 2 == 0 ? 127 : -127) << seed;
    for (const std::int8_t code : q.codes) EXPECT_GE(code, -127) << seed;
  }
}

TEST_P(Quantiser, FollowsTheFormulaToTheBit) {
  for (const std::uint32_t k : {1u, 15u, 16u, 17u, 63u, 64u, 65u, 100u, 640u, 2561u}) {
    const std::vector<float> y = random_floats(k, 3.0f, k);
    float top = 1e-5f;
    for (const float v : y) top = std::max(top, std::fabs(v));
    const Quantised q = quantise(*GetParam(), y);
    std::int32_t sum = 0;
    for (std::uint32_t j = 0; j < k; ++j) {
      const int want = static_cast<int>(std::nearbyint(y[j] * (127.0f / top)));
      EXPECT_EQ(q.codes[j], want) << "k " << k << ", element " << j;
      sum += want;
    }
    EXPECT_EQ(q.token.scale, top * (1.0f / 127)) << k;
    EXPECT_EQ(q.token.sum, sum) << k;
    for (std::uint32_t j = k; j < q.codes.size(); ++j) EXPECT_EQ(q.codes[j], 0) << "pad of " << k;
  }
}

TEST_P(Quantiser, NanStaysVisibleInTheScale) {
  for (const std::size_t at : {0u, 17u, 39u}) {
    std::vector<float> y = random_floats(40, 1.0f, at);
    y[at] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(quantise(*GetParam(), y).token.scale)) << at;
  }
}

TEST_P(Quantiser, InfinityDoesNotPassForANumber) {
  std::vector<float> y(40, 1.0f);
  y[20] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(std::isfinite(quantise(*GetParam(), y).token.scale));
}

}  // namespace
}  // namespace rotor
