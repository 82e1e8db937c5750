// Rotation and cache rows, for every cache format: the cache holds the encoding of the rotated key
// to the bit, and nothing else is touched.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/run_row.h"

namespace rotor {
namespace {

struct RopeCase {
  AttentionParams p;
  std::uint32_t step[2];
  std::vector<float> qkv, angles;
  std::vector<std::byte> keys, values;

  std::size_t width() const { return std::size_t{p.heads + 2 * p.kv_heads} * p.head_dim; }
};

RopeCase make_case(Packing format, std::uint32_t heads, std::uint32_t kv_heads,
                   std::uint32_t head_dim, std::uint32_t position, std::uint32_t m,
                   std::uint32_t capacity) {
  RopeCase c{{m, heads, kv_heads, head_dim, capacity}, {position, m}, {}, {}, {}, {}};
  c.qkv = random_floats(m * c.width(), 5.0f, head_dim + position);
  for (std::uint32_t at = 0; at < capacity; ++at) {
    for (const double quarter : {1.0, 0.0}) {  // cosines, then sines
      for (std::uint32_t i = 0; i < head_dim / 2; ++i) {
        const double angle = at * std::pow(500000.0, -2.0 * i / head_dim);
        c.angles.push_back(static_cast<float>(quarter == 1.0 ? std::cos(angle) : std::sin(angle)));
      }
    }
  }
  const std::size_t bytes = capacity * kv_heads * row_bytes(format, head_dim);
  c.keys.assign(bytes, std::byte{0xA5});
  c.values.assign(bytes, std::byte{0x5A});
  return c;
}

void run(const KernelVariant& row, RopeCase& c, const std::vector<std::uint32_t>& cuts = {}) {
  run_row(row, {c.qkv.data(), c.step, c.angles.data(), c.keys.data(), c.values.data()}, c.p, cuts);
}

// The head vector z at `position`, rotated as the contract writes it, in f32.
std::vector<float> rotated(const RopeCase& c, const float* z, std::size_t position) {
  const std::size_t half = c.p.head_dim / 2;
  const float* cosines = c.angles.data() + position * c.p.head_dim;
  const float* sines = cosines + half;
  std::vector<float> to(c.p.head_dim);
  for (std::size_t i = 0; i < half; ++i) {
    to[i] = z[i] * cosines[i] - z[i + half] * sines[i];
    to[i + half] = z[i + half] * cosines[i] + z[i] * sines[i];
  }
  return to;
}

std::vector<RopeCase> shapes(Packing format) {
  return {make_case(format, 20, 5, 128, 3, 2, 9), make_case(format, 12, 3, 64, 0, 1, 1),
          make_case(format, 8, 2, 32, 5, 3, 8),  // up to the last row of the cache
          make_case(format, 3, 1, 40, 1, 2, 4),   make_case(format, 2, 2, 6, 4, 1, 5),
          make_case(format, 1, 1, 2, 0, 3, 3)};
}

class RopeRows : public testing::TestWithParam<const KernelVariant*> {};

INSTANTIATE_TEST_SUITE_P(Rows, RopeRows, testing::ValuesIn(rows_here(Op::Rope)),
                         [](const auto& row) { return std::string(row.param->name.substr(4)); });

TEST_P(RopeRows, RotateQueriesInPlace) {
  for (RopeCase c : shapes(GetParam()->packing)) {
    const RopeCase before = c;
    run(*GetParam(), c);
    const std::size_t dim = c.p.head_dim;
    for (std::size_t t = 0; t < c.p.m; ++t) {
      const float* row = before.qkv.data() + t * c.width();
      for (std::size_t head = 0; head < c.p.heads; ++head) {
        const std::vector<float> want = rotated(before, row + head * dim, c.step[0] + t);
        const float* got = c.qkv.data() + t * c.width() + head * dim;
        EXPECT_EQ(std::memcmp(got, want.data(), dim * 4), 0) << "token " << t << " head " << head;
      }
      const std::size_t rest = c.p.heads * dim;
      EXPECT_EQ(
          std::memcmp(c.qkv.data() + t * c.width() + rest, row + rest, 2 * c.p.kv_heads * dim * 4),
          0)
          << "k and v of token " << t;
    }
  }
}

TEST_P(RopeRows, KeepLengthsAndAngles) {
  // Against the definition rather than the formula: length is kept, the dot product with a vector
  // rotated at another position depends on the distance alone.
  RopeCase c = make_case(GetParam()->packing, 2, 1, 64, 0, 2, 40);
  std::copy_n(c.qkv.data(), 128,
              c.qkv.data() + c.width());  // both tokens hold the same two queries
  RopeCase later = c;
  later.step[0] = 30;
  const auto dot = [](const float* a, const float* b) {
    double sum = 0;
    for (int i = 0; i < 64; ++i) sum += double{a[i]} * b[i];
    return sum;
  };
  const double length = dot(c.qkv.data(), c.qkv.data());
  run(*GetParam(), c);
  run(*GetParam(), later);
  // Products of rotated vectors: cosines and sines are off by one rounding, elements by three.
  const double bound = 16 * 0x1p-24 * (length + dot(c.qkv.data() + 64, c.qkv.data() + 64));
  EXPECT_NEAR(dot(later.qkv.data(), later.qkv.data()), length, bound);
  const double here = dot(c.qkv.data(), c.qkv.data() + c.width() + 64);
  EXPECT_NEAR(dot(later.qkv.data(), later.qkv.data() + c.width() + 64), here, bound);
  EXPECT_GT(std::fabs(dot(later.qkv.data(), later.qkv.data() + 64) - here), bound);
}

TEST_P(RopeRows, StoreEncodedRowsAndNothingElse) {
  const Packing format = GetParam()->packing;
  for (RopeCase c : shapes(format)) {
    RopeCase want = c;
    const std::size_t dim = c.p.head_dim;
    const std::size_t bytes = row_bytes(format, c.p.head_dim);
    for (std::size_t t = 0; t < c.p.m; ++t) {
      const float* k = c.qkv.data() + t * c.width() + c.p.heads * dim;
      for (std::size_t head = 0; head < c.p.kv_heads; ++head) {
        const std::size_t row = ((c.step[0] + t) * c.p.kv_heads + head) * bytes;
        encode_row(format, rotated(c, k + head * dim, c.step[0] + t),
                   std::span(want.keys).subspan(row, bytes));
        encode_row(format, std::span(k + (c.p.kv_heads + head) * dim, dim),
                   std::span(want.values).subspan(row, bytes));
      }
    }
    run(*GetParam(), c);
    EXPECT_EQ(c.keys, want.keys) << "head_dim " << dim;
    EXPECT_EQ(c.values, want.values) << "head_dim " << dim;
  }
}

TEST_P(RopeRows, EncodeHostileValues) {
  const Packing format = GetParam()->packing;
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<std::vector<float>> fills = {{0.0f},
                                                 {1e-39f, -3e-40f},
                                                 {65504.0f, 65520.0f, -7e4f},
                                                 {6e-8f, 3e-8f, -2e-8f},
                                                 {127.0f, 0.5f, 1.5f, -2.5f},
                                                 {1e30f, -1e30f, 1.0f},
                                                 {inf, 1.0f, -inf}};
  for (const std::vector<float>& fill : fills) {
    RopeCase c = make_case(format, 1, 1, 48, 0, 1, 1);
    float* v = c.qkv.data() + 96;
    for (std::size_t j = 0; j < 48; ++j) v[j] = fill[j % fill.size()];
    std::vector<std::byte> want(row_bytes(format, 48));
    encode_row(format, std::span(v, 48), want);
    run(*GetParam(), c);
    EXPECT_EQ(c.values, want) << fill[0];
  }
}

TEST_P(RopeRows, NanInAValueStaysVisible) {
  RopeCase c = make_case(GetParam()->packing, 1, 1, 48, 0, 1, 1);
  c.qkv[96 + 33] = std::numeric_limits<float>::quiet_NaN();
  run(*GetParam(), c);
  EXPECT_TRUE(std::isnan(decode_rows(GetParam()->packing, c.values, 48)[33]));
}

TEST_P(RopeRows, DoNotDependOnTheSlices) {
  RopeCase whole = make_case(GetParam()->packing, 4, 2, 24, 2, 5, 8);
  RopeCase cut = whole;
  run(*GetParam(), whole);
  run(*GetParam(), cut, {1, 1, 3});
  EXPECT_EQ(std::memcmp(whole.qkv.data(), cut.qkv.data(), whole.qkv.size() * 4), 0);
  EXPECT_EQ(whole.keys, cut.keys);
  EXPECT_EQ(whole.values, cut.values);
}

}  // namespace
}  // namespace rotor
