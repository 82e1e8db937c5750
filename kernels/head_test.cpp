// The two ends of the model: embedding rows, which are copies, and logits, which are dot products.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "core/half.h"
#include "kernels/run_row.h"

namespace rotor {
namespace {

class EmbedRows : public testing::TestWithParam<const KernelVariant*> {};
class HeadRows : public testing::TestWithParam<const KernelVariant*> {};

std::string row_name(const testing::TestParamInfo<const KernelVariant*>& row) {
  return std::string(row.param->name.substr(4));
}
INSTANTIATE_TEST_SUITE_P(Rows, EmbedRows, testing::ValuesIn(rows_here(Op::Embed)), row_name);
INSTANTIATE_TEST_SUITE_P(Rows, HeadRows, testing::ValuesIn(rows_here(Op::Head)), row_name);

TEST_P(EmbedRows, AreTheRowsOfTheTable) {
  const Packing packing = GetParam()->packing;
  for (const std::uint32_t k : {1u, 17u, 64u, 100u}) {
    const std::vector<std::byte> table = encode_rows(packing, random_floats(9 * k, 2.0f, k), k);
    const std::vector<float> rows = decode_rows(packing, table, k);
    const std::uint32_t step[] = {3, 4, 8, 0, 5, 5};
    for (const std::vector<std::uint32_t>& cuts : {std::vector<std::uint32_t>{}, {1, 3}}) {
      std::vector<float> out(4 * k, -1.0f);
      run_row(*GetParam(), {table.data(), step, out.data()}, EmbedParams{4, k, 0, 9}, cuts);
      for (std::size_t t = 0; t < 4; ++t) {
        EXPECT_EQ(std::memcmp(out.data() + t * k, rows.data() + step[2 + t] * k, k * 4), 0)
            << "token " << t << ", k " << k;
      }
    }
  }
}

TEST_P(EmbedRows, LeaveTokensOfOtherSlicesAlone) {
  const Packing packing = GetParam()->packing;
  const std::vector<std::byte> table = encode_rows(packing, random_floats(3 * 20, 2.0f, 1), 20);
  const std::vector<float> rows = decode_rows(packing, table, 20);
  const std::uint32_t step[] = {0, 5, 10, 9, 13, 12, 0xFFFFFFFF};
  std::vector<float> out(5 * 20, -1.0f);
  run_row(*GetParam(), {table.data(), step, out.data()}, EmbedParams{5, 20, 10, 3});
  std::vector<float> want(5 * 20, -1.0f);
  std::copy_n(rows.begin(), 20, want.begin());
  std::copy_n(rows.begin() + 2 * 20, 20, want.begin() + 3 * 20);
  EXPECT_EQ(out, want);
}

TEST(EmbedF16, ReadsEveryHalf) {
  // The plain kernel converts without branches: all 65536 halves against the definition.
  std::vector<std::uint16_t> table(65536);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<std::uint16_t>(i);
  std::vector<float> out(table.size());
  const std::uint32_t step[] = {0, 1, 0};
  run_row(*find_variant("cpu/embed_f16_portable"), {table.data(), step, out.data()},
          EmbedParams{1, 65536, 0, 1});
  for (std::size_t i = 0; i < table.size(); ++i) {
    const float want = f16_to_f32(table[i]);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(out[i]), std::bit_cast<std::uint32_t>(want)) << i;
  }
}

struct HeadCase {
  HeadParams p;
  std::vector<float> x;
  std::vector<std::byte> table;
  std::vector<float> out;
};

HeadCase make_case(Packing packing, std::uint32_t m, std::uint32_t n, std::uint32_t k) {
  HeadCase c{{m, n, k, n + 3}, random_floats(std::size_t{m} * k, 3.0f, k), {}, {}};
  c.table = encode_rows(packing, random_floats(std::size_t{n} * k, 0.1f, n), k);
  c.out.assign(std::size_t{m} * c.p.out_stride, -99.0f);
  return c;
}

void run(const KernelVariant& row, HeadCase& c, const std::vector<std::uint32_t>& cuts = {}) {
  run_row(row, {c.x.data(), c.table.data(), c.out.data()}, c.p, cuts);
}

TEST_P(HeadRows, MeetDoublePrecision) {
  for (const std::uint32_t k : {1u, 7u, 15u, 16u, 17u, 100u, 256u, 2560u}) {
    for (const std::uint32_t n : {1u, 2u, 3u, 4u, 9u, 33u}) {
      for (const std::uint32_t m : {1u, 2u, 3u, 4u, 7u}) {
        SCOPED_TRACE("m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " +
                     std::to_string(k));
        HeadCase c = make_case(GetParam()->packing, m, n, k);
        const std::vector<float> table = decode_rows(GetParam()->packing, c.table, k);
        run(*GetParam(), c);
        for (std::size_t t = 0; t < m; ++t) {
          for (std::size_t r = 0; r < c.p.out_stride; ++r) {
            const float got = c.out[t * c.p.out_stride + r];
            if (r >= n) {
              ASSERT_EQ(got, -99.0f) << "between rows of the output";
              continue;
            }
            double sum = 0, magnitude = 0;
            for (std::size_t j = 0; j < k; ++j) {
              const double product = double{c.x[t * k + j]} * table[r * k + j];
              sum += product;
              magnitude += std::fabs(product);
            }
            // 16 partial sums of k / 16 products each, a tree of 4, and one product with a row's
            // scale.
            const double bound = (k / 16.0 + 8) * 0x1p-24 * magnitude;
            ASSERT_LE(std::fabs(got - sum), bound) << "token " << t << " row " << r;
          }
        }
      }
    }
  }
}

TEST_P(HeadRows, DoNotDependOnBatchOrSlices) {
  HeadCase whole = make_case(GetParam()->packing, 7, 41, 100);
  HeadCase cut = whole;
  run(*GetParam(), whole);
  run(*GetParam(), cut, {1, 1, 6, 8, 31, 40});
  EXPECT_EQ(std::memcmp(whole.out.data(), cut.out.data(), whole.out.size() * 4), 0);
  for (std::size_t t = 0; t < whole.p.m; ++t) {
    HeadCase one = make_case(GetParam()->packing, 1, 41, 100);
    one.x.assign(whole.x.begin() + static_cast<std::ptrdiff_t>(t * 100),
                 whole.x.begin() + static_cast<std::ptrdiff_t>(t * 100 + 100));
    run(*GetParam(), one);
    EXPECT_EQ(std::memcmp(whole.out.data() + t * whole.p.out_stride, one.out.data(), 41 * 4), 0)
        << "token " << t;
  }
}

// Rows of vectors sum in one order, with fused multiply-adds: what --features leaves on changes nothing.
TEST(HeadOfVectors, GivesTheSameBitsAtEveryWidth) {
  for (const Packing packing : {Packing::F32, Packing::F16, Packing::Bf16, Packing::Int8Row}) {
    std::vector<std::vector<float>> outs;
    for (const KernelVariant* row : rows_here(Op::Head)) {
      if (row->packing != packing || row->needs == feature::Baseline) continue;
      HeadCase c = make_case(packing, 5, 19, 250);
      run(*row, c);
      outs.push_back(c.out);
    }
    for (const std::vector<float>& out : outs) EXPECT_EQ(out, outs[0]) << packing_name(packing);
  }
}

TEST_P(HeadRows, NanStaysInItsOwnLogits) {
  HeadCase c = make_case(GetParam()->packing, 3, 9, 40);
  const std::size_t bytes = row_bytes(GetParam()->packing, 40);
  std::fill_n(c.table.begin() + static_cast<std::ptrdiff_t>(4 * bytes), bytes, std::byte{0xFF});
  c.x[40 + 39] = std::numeric_limits<float>::quiet_NaN();  // token 1
  run(*GetParam(), c);
  for (std::size_t t = 0; t < 3; ++t) {
    for (std::size_t r = 0; r < 9; ++r) {
      EXPECT_EQ(std::isnan(c.out[t * c.p.out_stride + r]), t == 1 || r == 4) << t << " " << r;
    }
  }
}

}  // namespace
}  // namespace rotor
