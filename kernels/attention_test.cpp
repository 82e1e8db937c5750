// Attention over every cache format against two-pass softmax in double precision; what it must not
// depend on (batch, slices, rows of the future), bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "kernels/run_row.h"

namespace rotor {
namespace {

constexpr double kUnit = 0x1p-24;  // unit roundoff of f32

struct AttentionCase {
  AttentionParams p;
  std::uint32_t step[2];
  std::vector<float> qkv;
  std::vector<std::byte> keys, values;
  std::vector<float> out;

  std::size_t width() const { return std::size_t{p.heads + 2 * p.kv_heads} * p.head_dim; }
};

// Rows after the last position hold NaN. `sharpness` scales queries: 1 gives a soft distribution
// over the positions, 30 nearly picks one.
AttentionCase make_case(Packing format, AttentionParams p, std::uint32_t position,
                        float sharpness = 3.0f) {
  AttentionCase c{p, {position, p.m}, {}, {}, {}, {}};
  c.qkv = random_floats(p.m * c.width(), sharpness, position + p.head_dim);
  const std::size_t used = std::size_t{position + p.m} * p.kv_heads * p.head_dim;
  std::vector<float> k = random_floats(used, 1.0f, 17 + position);
  std::vector<float> v = random_floats(used, 2.0f, 18 + position);
  const std::size_t all = std::size_t{p.capacity} * p.kv_heads * p.head_dim;
  k.resize(all, std::numeric_limits<float>::quiet_NaN());
  v.resize(all, std::numeric_limits<float>::quiet_NaN());
  c.keys = encode_rows(format, k, p.head_dim);
  c.values = encode_rows(format, v, p.head_dim);
  c.out.assign(std::size_t{p.m} * p.heads * p.head_dim, -99.0f);
  return c;
}

void run(const KernelVariant& row, AttentionCase& c, const std::vector<std::uint32_t>& cuts = {}) {
  run_row(row, {c.qkv.data(), c.step, c.keys.data(), c.values.data(), c.out.data()}, c.p, cuts);
}

struct Exact {
  std::vector<double> out;    // [head_dim]
  std::vector<double> bound;  // [head_dim]
};

// Two-pass softmax attention of (token, head) over the decoded rows, and the error that f32 may
// make.
Exact attend(const AttentionCase& c, const std::vector<float>& keys,
             const std::vector<float>& values, std::size_t token, std::size_t head) {
  const std::size_t dim = c.p.head_dim;
  const std::size_t kv_head = head / (c.p.heads / c.p.kv_heads);
  const std::size_t positions = c.step[0] + token + 1;
  const float* q = c.qkv.data() + token * c.width() + head * dim;
  std::vector<double> weights(positions);
  double top = -std::numeric_limits<double>::infinity();
  double largest = 0;  // max_j sum |q k|
  for (std::size_t j = 0; j < positions; ++j) {
    const float* k = keys.data() + (j * c.p.kv_heads + kv_head) * dim;
    double sum = 0, magnitude = 0;
    for (std::size_t d = 0; d < dim; ++d) {
      sum += double{q[d]} * k[d];
      magnitude += std::fabs(double{q[d]} * k[d]);
    }
    weights[j] = sum / std::sqrt(static_cast<double>(dim));
    largest = std::max(largest, magnitude / std::sqrt(static_cast<double>(dim)));
    top = std::max(top, weights[j]);
  }
  double total = 0;
  for (double& w : weights) total += (w = std::exp(w - top));
  // A score is a sum of head_dim products, scaled, and the maximum is subtracted: head_dim + 4
  // roundings of at most `largest` in each of the two. exp turns absolute errors into relative ones
  // and adds two units. The sums over positions round once per position, the rescaling of a block
  // three times more (64 positions are the smallest block of any row).
  const double score = 2 * (static_cast<double>(dim) + 4) * kUnit * largest;
  const double sums = 2 * (1.1 * static_cast<double>(positions) + 16) * kUnit;
  const double relative = std::expm1(score) + sums;
  Exact e{std::vector<double>(dim), std::vector<double>(dim)};
  for (std::size_t j = 0; j < positions; ++j) {
    const float* v = values.data() + (j * c.p.kv_heads + kv_head) * dim;
    for (std::size_t d = 0; d < dim; ++d) {
      e.out[d] += weights[j] / total * v[d];
      e.bound[d] += weights[j] / total * std::fabs(v[d]) * relative + std::fabs(v[d]) * 0x1p-125;
    }
  }
  return e;
}

void expect_exact(const KernelVariant& row, AttentionCase c) {
  const std::vector<float> keys = decode_rows(row.packing, c.keys, c.p.head_dim);
  const std::vector<float> values = decode_rows(row.packing, c.values, c.p.head_dim);
  run(row, c);
  for (std::size_t token = 0; token < c.p.m; ++token) {
    for (std::size_t head = 0; head < c.p.heads; ++head) {
      const Exact e = attend(c, keys, values, token, head);
      const float* got = c.out.data() + (token * c.p.heads + head) * c.p.head_dim;
      for (std::size_t d = 0; d < c.p.head_dim; ++d) {
        ASSERT_LE(std::fabs(got[d] - e.out[d]), e.bound[d])  // false for NaN
            << "token " << token << " head " << head << " element " << d << ": " << got[d]
            << " for " << e.out[d];
      }
    }
  }
}

class AttentionRows : public testing::TestWithParam<const KernelVariant*> {};

INSTANTIATE_TEST_SUITE_P(Rows, AttentionRows, testing::ValuesIn(rows_here(Op::Attention)),
                         [](const auto& row) { return std::string(row.param->name.substr(4)); });

TEST_P(AttentionRows, MeetDoublePrecision) {
  struct {
    std::uint32_t heads, kv_heads, head_dim;
  } const shapes[] = {{8, 2, 32}, {12, 3, 64}, {20, 5, 128}, {6, 1, 40},
                      {3, 3, 8},  {2, 1, 6},   {16, 2, 80}};
  for (const auto& s : shapes) {
    for (const std::uint32_t position : {0u, 1u, 15u, 62u, 63u, 64u, 127u, 200u}) {
      for (const std::uint32_t m : {1u, 2u, 5u}) {
        SCOPED_TRACE("heads " + std::to_string(s.heads) + ", head_dim " +
                     std::to_string(s.head_dim) + ", position " + std::to_string(position) +
                     ", m " + std::to_string(m));
        // Every second case ends at the last row of the cache.
        const std::uint32_t capacity = position + m + (position % 2 == 0 ? 3 : 0);
        expect_exact(*GetParam(),
                     make_case(GetParam()->packing, {m, s.heads, s.kv_heads, s.head_dim, capacity},
                               position));
      }
    }
  }
}

TEST_P(AttentionRows, MeetDoublePrecisionWhenSharpOrFlat) {
  for (const float sharpness : {0.0f, 1e-30f, 30.0f, 300.0f}) {
    SCOPED_TRACE(sharpness);
    expect_exact(*GetParam(), make_case(GetParam()->packing, {3, 8, 2, 32, 150}, 140, sharpness));
  }
}

TEST_P(AttentionRows, ReachLongContexts) {
  expect_exact(*GetParam(), make_case(GetParam()->packing, {2, 4, 1, 64, 2100}, 2090));
}

TEST_P(AttentionRows, FindOneKeyAmongMany) {
  // The query points at one key; the answer is the value of that position, whichever it is.
  const Packing format = GetParam()->packing;
  constexpr std::uint32_t kPositions = 131, kDim = 32;
  for (std::uint32_t at = 0; at < kPositions; ++at) {
    AttentionCase c = make_case(format, {1, 4, 1, kDim, kPositions}, kPositions - 1);
    std::vector<float> keys = random_floats(kPositions * kDim, 0.1f, at);
    for (std::uint32_t d = 0; d < kDim; ++d) keys[at * kDim + d] = d % 2 == 0 ? 8.0f : -8.0f;
    c.keys = encode_rows(format, keys, kDim);
    for (std::uint32_t d = 0; d < 4 * kDim; ++d) c.qkv[d] = d % 2 == 0 ? 8.0f : -8.0f;
    const std::vector<float> values = decode_rows(format, c.values, kDim);
    run(*GetParam(), c);
    for (std::uint32_t d = 0; d < 4 * kDim; ++d) {
      // The other weights are below exp(-300), the sum is 1 exactly.
      ASSERT_FLOAT_EQ(c.out[d], values[at * kDim + d % kDim]) << "position " << at;
    }
  }
}

TEST_P(AttentionRows, DoNotDependOnBatchOrSlices) {
  for (const std::uint32_t kv_heads : {1u, 2u, 6u}) {
    const std::uint32_t heads = 6;
    AttentionCase whole =
        make_case(GetParam()->packing, {9, heads, kv_heads, 48, 75}, 60);  // crosses a block of 64
    AttentionCase cut = whole;
    run(*GetParam(), whole);
    run(*GetParam(), cut, {1, 1, 5, 6, 16, 29, 50});
    EXPECT_EQ(std::memcmp(whole.out.data(), cut.out.data(), whole.out.size() * 4), 0) << kv_heads;
    for (std::uint32_t token = 0; token < whole.p.m; ++token) {
      AttentionCase one = whole;
      one.p.m = 1;
      one.step[0] += token;
      one.qkv.erase(one.qkv.begin(),
                    one.qkv.begin() + static_cast<std::ptrdiff_t>(token * whole.width()));
      run(*GetParam(), one);
      const std::size_t size = heads * 48;
      EXPECT_EQ(std::memcmp(whole.out.data() + token * size, one.out.data(), size * 4), 0)
          << "token " << token << " of a batch, kv_heads " << kv_heads;
    }
  }
}

// Rows of vectors sum in one order, with fused multiply-adds: what --features leaves on changes nothing.
TEST(AttentionOfVectors, GivesTheSameBitsAtEveryWidth) {
  for (const Packing format : {Packing::F32, Packing::F16, Packing::Int8Row}) {
    std::vector<std::vector<float>> outs;
    for (const KernelVariant* row : rows_here(Op::Attention)) {
      if (row->packing != format || row->needs == feature::Baseline) continue;
      AttentionCase c = make_case(format, {5, 12, 3, 72, 75}, 70);
      run(*row, c);
      outs.push_back(c.out);
    }
    for (const std::vector<float>& out : outs) EXPECT_EQ(out, outs[0]) << packing_name(format);
  }
}

TEST_P(AttentionRows, NeverLookIntoTheFuture) {
  // Token i of a batch gives the same bits when the rows after its own hold NaN.
  const Packing format = GetParam()->packing;
  for (const std::uint32_t kv_heads : {1u, 4u}) {
    AttentionCase whole = make_case(format, {7, 4, kv_heads, 16, 70}, 61);
    run(*GetParam(), whole);
    const std::size_t bytes = row_bytes(format, 16) * kv_heads;
    for (std::uint32_t token = 0; token < whole.p.m; ++token) {
      AttentionCase blind = whole;
      const auto after = static_cast<std::ptrdiff_t>((61 + token + 1) * bytes);
      std::fill(blind.keys.begin() + after, blind.keys.end(), std::byte{0xFF});
      std::fill(blind.values.begin() + after, blind.values.end(), std::byte{0xFF});
      run(*GetParam(), blind);
      EXPECT_EQ(std::memcmp(whole.out.data(), blind.out.data(), (token + 1) * 64 * 4), 0)
          << "token " << token << ", kv_heads " << kv_heads;
    }
  }
}

TEST_P(AttentionRows, NanInACachedRowStaysVisible) {
  AttentionCase c = make_case(GetParam()->packing, {1, 4, 1, 16, 90}, 80);
  const std::size_t bytes = row_bytes(GetParam()->packing, 16);
  std::fill_n(c.values.begin() + static_cast<std::ptrdiff_t>(70 * bytes), bytes, std::byte{0xFF});
  run(*GetParam(), c);
  for (const float v : c.out) EXPECT_TRUE(std::isnan(v));
}

}  // namespace
}  // namespace rotor
