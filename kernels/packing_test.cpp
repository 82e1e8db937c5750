// Byte layouts, against a decoder written from the text of packing.h.
#include "kernels/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/half.h"
#include "core/random.h"
#include "kernels/ops.h"

namespace rotor {
namespace {

constexpr Packing kTernary[] = {Packing::Bits2, Packing::Bits2x16, Packing::Trits5x16,
                                Packing::Int8, Packing::Int8x16};

struct Size {
  std::uint32_t n, k;
};
constexpr Size kSizes[] = {{1, 1},    {1, 64},  {3, 5},    {15, 63},  {16, 64},
                           {17, 65},  {31, 15}, {33, 16},  {32, 128}, {48, 127},
                           {50, 129}, {7, 255}, {20, 257}, {65, 300}, {5, 1003}};

TernaryMatrix random_matrix(const Size& size, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::int8_t> trits(std::size_t{size.n} * size.k);
  for (auto& t : trits) t = static_cast<std::int8_t>(static_cast<int>(random.below(3)) - 1);
  return TernaryMatrix(size.n, size.k, std::move(trits), 1.0f);
}

// The two bits from bit `at` on of the little-endian word whose first byte is `first`.
int two_bits(const std::vector<std::byte>& bytes, std::size_t first, unsigned at) {
  return (std::to_integer<int>(bytes.at(first + at / 8)) >> (at % 8)) & 3;
}

// The trit at (row, column) of the padded matrix.
int decode(Packing packing, const std::vector<std::byte>& bytes, std::size_t stride,
           std::size_t row, std::size_t column) {
  const std::size_t i = column / 16;
  const auto j = static_cast<unsigned>(column % 16 / 4);
  const auto b = static_cast<unsigned>(column % 4);
  switch (packing) {
    case Packing::Bits2:
      return two_bits(bytes, 4 * (row * stride / 16 + i), 8 * b + 2 * j) - 1;
    case Packing::Bits2x16: {
      const std::size_t word = (row / 16 * (stride / 16) + i) * 16 + row % 16;
      return two_bits(bytes, 4 * word, 8 * b + 2 * j) - 1;
    }
    case Packing::Trits5x16: {
      const bool whole = column / 80 < stride / 80;
      const bool fifth = whole && column % 80 >= 64;
      const std::size_t vector =
          column / 80 * 4 + (fifth ? (column % 80 - 64) / 4 : column % 80 / 16);
      const std::size_t vectors = stride / 80 * 4 + stride % 80 / 16;
      int digits =
          std::to_integer<int>(bytes.at(((row / 16 * vectors + vector) * 16 + row % 16) * 4 + b));
      if (fifth) return digits / 81 - 1;
      digits %= 81;
      for (unsigned d = 0; d < column % 80 / 4 % 4; ++d) digits /= 3;
      return digits % 3 - 1;
    }
    case Packing::Int8:
      return static_cast<std::int8_t>(std::to_integer<int>(bytes.at(row * stride + column)));
    case Packing::Int8x16: {
      const std::size_t quad = (row / 16 * (stride / 4) + column / 4) * 16 + row % 16;
      return std::to_integer<int>(bytes.at(4 * quad + b)) - 1;
    }
    default:
      return 99;
  }
}

TEST(Packing, BytesSayWhatTheTextSays) {
  std::uint64_t seed = 1;
  for (const Packing packing : kTernary) {
    for (const Size& size : kSizes) {
      const TernaryMatrix matrix = random_matrix(size, ++seed);
      const std::vector<std::byte> bytes = pack(matrix, packing);
      const std::size_t rows = (std::size_t{size.n} + 15) / 16 * 16;
      const std::size_t stride = activation_stride(size.k);
      const bool bits = packing == Packing::Bits2 || packing == Packing::Bits2x16;
      if (packing == Packing::Trits5x16) {
        ASSERT_EQ(bytes.size(), rows * 4 * (stride / 80 * 4 + stride % 80 / 16));
      } else {
        ASSERT_EQ(bytes.size(), rows * stride / (bits ? 4 : 1));
      }
      ASSERT_EQ(bytes.size(), packed_bytes(packing, size.n, size.k));
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t j = 0; j < stride; ++j) {
          const bool inside = r < size.n && j < size.k;
          ASSERT_EQ(decode(packing, bytes, stride, r, j),
                    inside ? matrix.row(static_cast<std::uint32_t>(r))[j] : 0)
              << packing_name(packing) << " " << size.n << "x" << size.k << " at " << r << ", "
              << j;
        }
      }
    }
  }
}

TEST(Packing, UnpackInvertsPack) {
  std::uint64_t seed = 100;
  for (const Packing packing : kTernary) {
    for (const Size& size : kSizes) {
      const TernaryMatrix matrix = random_matrix(size, ++seed);
      const auto trits = unpack(packing, size.n, size.k, pack(matrix, packing));
      EXPECT_THAT(trits, testing::ElementsAreArray(matrix.trits()))
          << packing_name(packing) << " " << size.n << "x" << size.k;
    }
  }
}

TEST(Packing, PartsArePackedAsTheirStack) {
  for (const std::uint32_t k : {64u, 127u}) {
    std::vector<TernaryMatrix> parts;
    for (const std::uint32_t n : {5u, 16u, 1u, 31u}) parts.push_back(random_matrix({n, k}, n));
    const TernaryMatrix stack = stack_rows(parts);
    for (const Packing packing : kTernary) {
      std::vector<std::byte> bytes(packed_bytes(packing, stack.n(), k), std::byte{0xEE});
      pack(parts, packing, bytes);
      EXPECT_EQ(bytes, pack(stack, packing)) << packing_name(packing) << ' ' << k;
    }
  }
  std::vector<std::byte> bytes(4096);
  const TernaryMatrix widths[] = {random_matrix({1, 64}, 1), random_matrix({1, 128}, 1)};
  EXPECT_THROW(pack(widths, Packing::Bits2, bytes), FormatError);
  EXPECT_THROW(pack(std::span<const TernaryMatrix>(), Packing::Bits2, bytes), FormatError);
}

TEST(Packing, RejectsWhatIsNoTrit) {
  const Size size{18, 70};
  const std::size_t stride = activation_stride(size.k);
  const TernaryMatrix matrix = random_matrix(size, 7);
  for (const Packing packing : kTernary) {
    // In base 3 only the highest digit, that of columns 64 to 79, can be a 3.
    const std::uint32_t first = packing == Packing::Trits5x16 ? 66 : 0;
    for (const auto& [row, column] : {std::pair{0u, first}, {17u, 69u}, {15u, 64u}}) {
      std::vector<std::byte> bytes = pack(matrix, packing);
      // Sets every byte in turn that changes this trit, until the decoder sees a 2 there: code 3.
      const std::vector<std::byte> good = bytes;
      for (std::size_t at = 0; decode(packing, bytes, stride, row, column) != 2; ++at) {
        bytes = good;
        const bool plain = packing == Packing::Int8x16;
        bytes.at(at) = static_cast<std::byte>(packing == Packing::Int8 ? 2 : plain ? 3 : 0xFF);
      }
      try {
        unpack(packing, size.n, size.k, bytes);
        FAIL() << packing_name(packing) << " accepted code 3";
      } catch (const FormatError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("code 3")) << packing_name(packing);
        EXPECT_THAT(error.what(), testing::HasSubstr("row " + std::to_string(row)));
      }
    }
  }
}

TEST(Packing, RefusesRowsWiderThanKernelsAreExact) {
  const TernaryMatrix wide(1, kMaxColumns + 1, std::vector<std::int8_t>(kMaxColumns + 1), 1.0f);
  for (const Packing packing : kTernary) EXPECT_THROW(pack(wide, packing), FormatError);
}

TEST(Packing, OnlyTernaryPackingsHoldTrits) {
  const TernaryMatrix matrix = random_matrix({2, 3}, 1);
  EXPECT_THROW(pack(matrix, Packing::Bf16), UsageError);
  EXPECT_FALSE(is_ternary(Packing::F32));
  for (const Packing packing : kTernary) EXPECT_TRUE(is_ternary(packing));
}

TEST(Packing, FloatRowsKeepWhatTheFormatCanHold) {
  // Few bits and a modest exponent: exact in every 16-bit format.
  const std::vector<float> values = {0.0f, 1.0f, -2.5f, 0.0078125f, -96.0f, 3.25f, 0.75f};
  for (const Packing packing : {Packing::F32, Packing::F16, Packing::Bf16}) {
    std::vector<std::byte> row(row_bytes(packing, 7));
    EXPECT_EQ(row.size(), packing == Packing::F32 ? 28u : 14u);
    std::vector<float> back(7);
    encode_row(packing, values, row);
    decode_row(packing, row, back);
    EXPECT_EQ(back, values) << packing_name(packing);
  }
}

TEST(Packing, Int8RowsAreOffByHalfAStepAtMost) {
  Random random(5);
  for (const std::uint32_t k : {1u, 3u, 4u, 127u, 128u}) {
    std::vector<float> values(k);
    float top = 0;
    for (float& v : values) {
      v = static_cast<float>(6 * random.uniform() - 3);
      top = std::max(top, std::fabs(v));
    }
    std::vector<std::byte> row(row_bytes(Packing::Int8Row, k));
    ASSERT_EQ(row.size(), (k + 3) / 4 * 4 + 4);
    std::vector<float> back(k);
    encode_row(Packing::Int8Row, values, row);
    decode_row(Packing::Int8Row, row, back);
    // Half a step, and the rounding of 127 / top, of the product and of the scale: under 4 ulp of top.
    const float limit = top / 127 / 2 + 4 * 0x1p-23f * top;
    for (std::uint32_t j = 0; j < k; ++j) EXPECT_LE(std::fabs(back[j] - values[j]), limit);
  }
}

TEST(Packing, SixBitRowsAreOffByHalfAStepOrAtTheFarEndByOne) {
  Random random(6);
  for (const std::uint32_t k : {1u, 15u, 16u, 31u, 32u, 33u, 100u, 128u}) {
    std::vector<float> values(k);
    for (float& v : values) v = static_cast<float>(6 * random.uniform() - 3);
    std::vector<std::byte> row(row_bytes(Packing::Bits6Row, k));
    ASSERT_EQ(row.size(), (k + 31) / 32 * 26);
    std::vector<float> back(k);
    encode_row(Packing::Bits6Row, values, row);
    decode_row(Packing::Bits6Row, row, back);
    for (std::uint32_t j = 0; j < k; ++j) {
      const auto group = std::span(values).subspan(j / 32 * 32, std::min(32u, k - j / 32 * 32));
      const float extreme = *std::max_element(
          group.begin(), group.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
      // 32 codes on the extreme's side, 31 on the other; the f16 scale is off by 2^-11 of itself, which
      // 32 steps make 1/64 of a step.
      const float steps = values[j] / (extreme / -32);
      const float limit = (steps > 31.5f - 1 / 64.0f ? 1.0f : 0.5f) + 1 / 64.0f;
      EXPECT_LE(std::fabs(back[j] - values[j]), limit * std::fabs(extreme) / 32) << k << " " << j;
    }
  }
}

TEST(Packing, SixBitRowsShowWhatTheyCannotHold) {
  std::vector<std::byte> row(row_bytes(Packing::Bits6Row, 40));
  std::vector<float> values(40, 1.0f), back(40);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  encode_row(Packing::Bits6Row, values, row);
  decode_row(Packing::Bits6Row, row, back);
  EXPECT_TRUE(std::isnan(back[0]) && std::isnan(back[3]));
  EXPECT_EQ(back[32], 1.0f);  // the next group
  values[3] = 0;
  std::fill(values.begin() + 32, values.end(), 0.0f);
  encode_row(Packing::Bits6Row, values, row);
  decode_row(Packing::Bits6Row, row, back);
  EXPECT_EQ(back, values);
}

}  // namespace
}  // namespace rotor
