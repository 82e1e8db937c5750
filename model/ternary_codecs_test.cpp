#include "model/ternary_codecs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/random.h"

namespace rotor {
namespace {

constexpr TernaryFormat kFormats[] = {TernaryFormat::Strided, TernaryFormat::I2S,
                                      TernaryFormat::Tq1, TernaryFormat::Tq2};

TernaryMatrix random_matrix(std::uint32_t n, std::uint32_t k, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::int8_t> trits(std::size_t{n} * k);
  for (std::int8_t& t : trits) t = static_cast<std::int8_t>(static_cast<int>(random.below(3)) - 1);
  return {n, k, std::move(trits), 1.21875f};
}

TEST(TernaryCodecs, DecodingUndoesEncoding) {
  for (const TernaryFormat format : kFormats) {
    for (const auto& [n, k] : {std::pair{1u, 256u}, {5u, 512u}, {6u, 768u}, {8u, 256u}}) {
      const TernaryMatrix matrix = random_matrix(n, k, n + k);
      const auto bytes = encode_ternary(format, matrix);
      ASSERT_EQ(bytes.size(), stored_bytes(format, n, k));
      const StoredTernary back = decode_ternary(format, bytes, n, k, "f");
      EXPECT_EQ(back.trits, std::vector(matrix.trits().begin(), matrix.trits().end()))
          << static_cast<int>(format) << ' ' << n << ' ' << k;
      EXPECT_EQ(back.scale, format == TernaryFormat::Strided ? 1.0f : 1.21875f);
    }
  }
}

// Decoding into memory that held something else, longer or shorter, and a block of zeros that
// llama.cpp gives the scale 0.
TEST(TernaryCodecs, UsedMemoryLeavesNoTrace) {
  for (const TernaryFormat format : kFormats) {
    TernaryMatrix matrix = random_matrix(6, 512, 1);
    std::vector<std::int8_t> trits = std::move(matrix).release();
    std::fill_n(trits.begin() + 256, 256, std::int8_t{0});
    const TernaryMatrix zeros(6, 512, trits, 1.21875f);
    std::vector<std::byte> bytes = encode_ternary(format, zeros);
    const std::size_t block = bytes.size() / 12;  // of 256 trits in Tq formats
    if (format == TernaryFormat::Tq1 || format == TernaryFormat::Tq2) {
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(2 * block - 2), 2, std::byte{0});
    }
    for (const std::size_t used : {0u, 100u, 10000u}) {
      const StoredTernary back =
          decode_ternary(format, bytes, 6, 512, "f", std::vector<std::int8_t>(used, 1));
      EXPECT_EQ(back.trits, trits) << ternary_format_name(format) << ' ' << used;
    }
  }
}

// The worked examples of the formats' descriptions.
TEST(TernaryCodecs, PublishedExamplesHold) {
  const StoredTernary strided = decode_ternary(
      TernaryFormat::Strided, std::vector{std::byte{0xA1}, std::byte{0x55}}, 8, 1, "f");
  EXPECT_EQ(strided.trits, (std::vector<std::int8_t>{0, 0, -1, 0, 1, 0, 1, 0}));

  std::vector<std::int8_t> trits(256, 0);
  trits[0] = 1;
  trits[32] = -1;
  const TernaryMatrix matrix(1, 256, trits, 1);
  EXPECT_EQ(encode_ternary(TernaryFormat::I2S, matrix)[0], std::byte{0x85});
  EXPECT_EQ(encode_ternary(TernaryFormat::Tq2, matrix)[0], std::byte{0x52});

  // Five digits of byte 0, then four digits of the first byte of the last run.
  const std::int8_t five[] = {-1, 0, 1, 1, -1};
  const std::int8_t four[] = {1, 0, -1, 1};
  for (std::size_t d = 0; d < 5; ++d) trits[32 * d] = five[d];
  for (std::size_t d = 0; d < 4; ++d) trits[240 + 4 * d] = four[d];
  const auto tq1 = encode_ternary(TernaryFormat::Tq1, TernaryMatrix(1, 256, trits, 1));
  EXPECT_EQ(tq1[0], std::byte{54});
  EXPECT_EQ(tq1[48], std::byte{206});
  EXPECT_EQ(tq1[1], std::byte{128});
}

// Upstream decodes a digit as (byte * 3^n mod 256) * 3 / 256. Every byte, not only those that an
// encoder writes.
TEST(TernaryCodecs, Tq1DigitsAreThoseOfTheFormula) {
  std::vector<std::byte> block(54);
  block[53] = std::byte{0x3C};  // 1.0
  for (unsigned b = 0; b < 256; ++b) {
    block[0] = static_cast<std::byte>(b);
    const auto trits = decode_ternary(TernaryFormat::Tq1, block, 1, 256, "f").trits;
    for (unsigned d = 0, power = 1; d < 5; ++d, power *= 3) {
      EXPECT_EQ(trits[32 * d], static_cast<int>((b * power % 256) * 3 / 256) - 1) << b << ' ' << d;
    }
  }
}

TEST(TernaryCodecs, CodeThreeIsRefused) {
  for (const TernaryFormat format :
       {TernaryFormat::Strided, TernaryFormat::I2S, TernaryFormat::Tq2}) {
    auto bytes = encode_ternary(format, random_matrix(4, 256, 1));
    for (const unsigned shift : {0u, 2u, 4u, 6u}) {
      auto bad = bytes;
      bad[40] |= static_cast<std::byte>(3u << shift);
      EXPECT_THROW(decode_ternary(format, bad, 4, 256, "f"), FormatError) << shift;
    }
  }
}

TEST(TernaryCodecs, PaddingBehindTheScaleMeansNothing) {
  const TernaryMatrix matrix = random_matrix(2, 256, 7);
  auto bytes = encode_ternary(TernaryFormat::I2S, matrix);
  for (std::size_t i = bytes.size() - 28; i < bytes.size(); ++i) bytes[i] = std::byte{0xFF};
  EXPECT_EQ(decode_ternary(TernaryFormat::I2S, bytes, 2, 256, "f").scale, 1.21875f);
}

TEST(TernaryCodecs, BlocksMustAgreeOnTheScaleUnlessTheyAreZero) {
  for (const TernaryFormat format : {TernaryFormat::Tq1, TernaryFormat::Tq2}) {
    const TernaryMatrix matrix = random_matrix(2, 256, 3);
    auto bytes = encode_ternary(format, matrix);
    const std::size_t block = bytes.size() / 2;
    std::memset(bytes.data() + block - 2, 0, 2);  // llama.cpp's way to say "all zeros"
    const StoredTernary back = decode_ternary(format, bytes, 2, 256, "f");
    EXPECT_EQ(back.scale, 1.21875f);
    EXPECT_EQ(std::count(back.trits.begin(), back.trits.begin() + 256, 0), 256);
    bytes[block - 1] = std::byte{0x40};  // 2.0
    EXPECT_THROW(decode_ternary(format, bytes, 2, 256, "f"), FormatError);
  }
}

TEST(TernaryCodecs, OnlyWholeBlocksFit) {
  EXPECT_TRUE(fits(TernaryFormat::Strided, 3, 5));
  EXPECT_TRUE(fits(TernaryFormat::I2S, 2, 64));
  EXPECT_FALSE(fits(TernaryFormat::I2S, 3, 64));
  EXPECT_FALSE(fits(TernaryFormat::Tq1, 256, 384));
  EXPECT_TRUE(fits(TernaryFormat::Tq2, 1, 512));
}

}  // namespace
}  // namespace rotor
