// The references agree with each other and with sums that a person can do.

#include "verify/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/half.h"
#include "core/random.h"
#include "verify/distributions.h"

namespace rotor::reference {
namespace {

constexpr Packing kTernary[] = {Packing::Bits2, Packing::Bits2x16, Packing::Trits5x16,
                                Packing::Int8, Packing::Int8x16};

MatmulData make_data(std::uint32_t m, std::uint32_t n, std::uint32_t k) {
  MatmulData data;
  make_weights(composite(), 5, n, k, data);
  make_activations(composite(), 5, m, Values::Integers, 0, data);
  return data;
}

// (a) int64 loops = (b) Eigen = (c) either of them on weights decoded from packed bytes.
TEST(ReferenceTest, LoopsEigenAndDecodedWeightsAgree) {
  for (const std::uint32_t k : {1u, 15u, 64u, 129u, 1100u}) {
    const MatmulData data = make_data(7, 37, k);
    const std::vector<std::int8_t> codes(data.x.begin(), data.x.end());
    const auto loops = product_loops(codes, data.trits, 7, 37, k);
    const auto eigen = product_eigen(codes, data.trits, 7, 37, k, 2);
    EXPECT_TRUE(std::equal(loops.begin(), loops.end(), eigen.begin())) << k;
    for (const Packing packing : kTernary) {
      const auto bytes = pack(TernaryMatrix(37, k, data.trits, 1.0f), packing);
      EXPECT_EQ(decode_ternary(packing, 37, k, bytes), data.trits)
          << packing_name(packing) << " k=" << k;
    }
  }
}

TEST(ReferenceTest, DecodingRefusesCodeThree) {
  std::vector<std::byte> bytes(packed_bytes(Packing::Bits2, 16, 64), std::byte{0x55});
  EXPECT_NO_THROW(decode_ternary(Packing::Bits2, 16, 64, bytes));
  bytes[17] |= std::byte{0x0C};
  EXPECT_THROW(decode_ternary(Packing::Bits2, 16, 64, bytes), FormatError);
}

// Padding is trit 0: kernels read it.
TEST(ReferenceTest, PackedPaddingIsZero) {
  for (const Packing packing : kTernary) {
    const auto bytes = pack(TernaryMatrix(3, 5, std::vector<std::int8_t>(15, 1), 1.0f), packing);
    const auto padded = decode_ternary(packing, 16, 64, bytes);
    EXPECT_EQ(std::accumulate(padded.begin(), padded.end(), 0), 15) << packing_name(packing);
    EXPECT_EQ(std::count(padded.begin(), padded.end(), 0), 16 * 64 - 15) << packing_name(packing);
  }
}

TEST(ReferenceTest, MatmulIsASumOfSigns) {
  const std::vector<float> x{1.5f, -2, 4, 0.25f, 0, 8};
  const std::vector<std::int8_t> trits{1, 1, -1, 0, 1, 1};
  const std::vector<float> scales{2, 0.5f};
  const Floats result = matmul(x, trits, scales, 2, 2, 3);
  EXPECT_EQ(result.value, (std::vector<double>{2 * -4.5, 0.5 * 2, 2 * -7.75, 0.5 * 8}));
  // gamma(4) * scale * sum |x w|
  EXPECT_DOUBLE_EQ(result.bound[0], gamma(4) * 2 * 7.5);
  EXPECT_EQ(scale_products(std::vector<float>{3, -4}, scales, std::vector<float>{0.5f}),
            (std::vector<float>{3, -1}));
}

// Every bit pattern, against the conversions that kernels use.
TEST(ReferenceTest, SixteenBitFormatsAgreeWithCore) {
  for (std::uint32_t h = 0; h < 0x10000; ++h) {
    const auto bits = static_cast<std::uint16_t>(h);
    const auto bytes = std::as_bytes(std::span(&bits, 1));
    const float f16 = decode_row(Packing::F16, 1, bytes)[0];
    const float bf16 = decode_row(Packing::Bf16, 1, bytes)[0];
    ASSERT_TRUE(f16 == f16_to_f32(bits) || (std::isnan(f16) && std::isnan(f16_to_f32(bits)))) << h;
    ASSERT_TRUE(bf16 == bf16_to_f32(bits) || std::isnan(bf16)) << h;
  }
}

TEST(ReferenceTest, EncodingIsTheInverseOfDecoding) {
  const std::vector<float> values{1, -127, 0, 64, 0.5f};
  for (const Packing packing : {Packing::F32, Packing::F16, Packing::Bf16}) {
    EXPECT_EQ(decode_row(packing, 5, encode_row(packing, values)), values);
  }
  EXPECT_EQ(decode_row(Packing::Int8Row, 5, encode_row(Packing::Int8Row, values)),
            (std::vector<float>{1, -127, 0, 64, 0}));  // 0.5 of a step goes to even
  const std::vector<float> steps{-32, 31, 0, 16, 0.5f};
  EXPECT_EQ(decode_row(Packing::Bits6Row, 5, encode_row(Packing::Bits6Row, steps)),
            (std::vector<float>{-32, 31, 0, 16, 0}));
}

TEST(ReferenceTest, NormAndQuantiserOfAPair) {
  const std::vector<float> gain{1, 2};
  const NormInput input{.x = {3, -4}, .roundings = 0};
  const double root = std::sqrt(12.5 + 1e-5f);
  const Floats y = rms_norm(input, gain, 1e-5f, 1, 2);
  EXPECT_DOUBLE_EQ(y.value[0], 3 / root);
  EXPECT_DOUBLE_EQ(y.value[1], -8 / root);
  const Quantised q = quantise(input, gain, 1e-5f, 1, 2);
  EXPECT_DOUBLE_EQ(q.position[0], 127.0 * 3 / 8);
  EXPECT_DOUBLE_EQ(q.position[1], -127);
  EXPECT_DOUBLE_EQ(q.scale[0], 8 / root / 127);
  EXPECT_LT(q.border[1], 1e-3);
}

// A token of zeros divides by the floor of the quantiser.
TEST(ReferenceTest, QuantiserOfZerosHasTheFloorAsScale) {
  const NormInput input{.x = {0, 0}, .roundings = 0};
  const Quantised q = quantise(input, std::vector<float>{1, 1}, 1e-5f, 1, 2);
  EXPECT_EQ(q.position, (std::vector<double>{0, 0}));
  EXPECT_DOUBLE_EQ(q.scale[0], 1e-5 / 127);
}

TEST(ReferenceTest, Relu2IsTheSquareOfThePositivePartTimesUp) {
  EXPECT_EQ(relu2(std::vector<float>{3, -3, 2, 5}, 1, 2).x, (std::vector<double>{18, 0}));
}

TEST(ReferenceTest, RotationByAQuarterTurnSwapsThePair) {
  const Floats turned = rotate(std::vector<float>{1, 2, 3, 4}, std::vector<float>{0, 1, 1, 0});
  EXPECT_EQ(turned.value, (std::vector<double>{-3, 2, 1, 4}));
}

// Two kv heads with two query heads each; the second position is seen only by the second token.
TEST(ReferenceTest, AttentionGroupsHeadsAndHidesTheFuture) {
  const AttentionParams params{.m = 2, .heads = 4, .kv_heads = 2, .head_dim = 2, .capacity = 2};
  const std::vector<float> q(16, 0.0f);  // all scores equal: the mean of what is seen
  const std::vector<float> keys(8, 1.0f);
  const std::vector<float> values{1, 2, 10, 20, 3, 4, 30, 40};
  const Floats out = attention(q, keys, values, params, 0);
  EXPECT_EQ(out.value,
            (std::vector<double>{1, 2, 1, 2, 10, 20, 10, 20, 2, 3, 2, 3, 20, 30, 20, 30}));
}

}  // namespace
}  // namespace rotor::reference
