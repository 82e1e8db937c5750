#include "model/head_format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.h"
#include "core/random.h"
#include "model/session.h"

namespace rotor {
namespace {

constexpr std::uint32_t kRows = 700;
constexpr std::uint32_t kColumns = 96;

struct OwnedTable {
  std::vector<std::byte> bytes;
  Table table;
};

// Rows of unequal lengths, as trained embeddings have.
OwnedTable random_table(Packing packing, std::uint64_t seed) {
  Random random(seed);
  const std::size_t row = row_bytes(packing, kColumns);
  OwnedTable t{std::vector<std::byte>(kRows * row), {}};
  std::vector<float> values(kColumns);
  for (std::size_t r = 0; r < kRows; ++r) {
    const double size = 0.02 + 0.1 * random.uniform();
    for (float& v : values) v = static_cast<float>(size * (random.uniform() - 0.5));
    encode_row(packing, values, std::span(t.bytes).subspan(r * row, row));
  }
  t.table = {packing, kRows, kColumns, t.bytes};
  return t;
}

// In double: the sums of both kernels lie within the bound around these.
std::vector<float> logits_of(const Table& table, std::span<const float> x) {
  std::vector<float> logits(table.rows), w(table.columns);
  const std::size_t row = row_bytes(table.packing, table.columns);
  for (std::size_t r = 0; r < table.rows; ++r) {
    decode_row(table.packing, table.bytes.subspan(r * row, row), w);
    double sum = 0;
    for (std::size_t j = 0; j < w.size(); ++j) sum += double{w[j]} * x[j];
    logits[r] = static_cast<float>(sum);
  }
  return logits;
}

std::vector<std::uint32_t> largest(std::span<const float> logits, std::size_t top) {
  std::vector<std::uint32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return logits[a] > logits[b]; });
  order.resize(top);
  return order;
}

TEST(HeadBoundTest, KeepsEveryRowThatIsAmongTheBest) {
  for (const Packing coarse_packing : {Packing::Int8Row, Packing::Bits6Row}) {
    std::size_t kept = 0, trials = 0;
    const OwnedTable exact = random_table(Packing::Bf16, 3);
    const Table coarse = convert_table(exact.table, coarse_packing);
    const HeadBound bound(exact.table, coarse);
    Random random(4);
    for (int trial = 0; trial < 200; ++trial) {
      std::vector<float> x(kColumns);
      for (float& v : x) v = static_cast<float>(20 * (random.uniform() - 0.5));
      const std::vector<float> want = logits_of(exact.table, x);
      const std::vector<float> rough = logits_of(coarse, x);
      for (const std::uint32_t top : {1u, 5u, 40u}) {
        std::vector<std::uint32_t> rows;
        ASSERT_TRUE(bound.candidates(x, rough, top, kRows, rows));
        for (const std::uint32_t row : largest(want, top)) {
          ASSERT_TRUE(std::binary_search(rows.begin(), rows.end(), row)) << "top " << top;
        }
        if (top == 1) kept += rows.size(), ++trials;
      }
    }
    // Worth its name: of 700 rows few remain.
    EXPECT_LT(kept, trials * (coarse_packing == Packing::Int8Row ? 20 : 200));
  }
}

TEST(HeadBoundTest, CountsEqualsOfTheLastAndRefusesTooMany) {
  OwnedTable exact = random_table(Packing::F32, 5);
  const std::size_t row = row_bytes(Packing::F32, kColumns);
  for (const std::size_t copy : {9u, 300u, 650u}) {
    std::copy_n(exact.bytes.begin(), row,
                exact.bytes.begin() + static_cast<std::ptrdiff_t>(copy * row));
  }
  std::vector<float> x(kColumns);
  decode_row(Packing::F32, std::span(exact.bytes).first(row), x);
  for (float& v : x) v *= 1000;  // row 0 and its copies are the best
  const Table coarse = convert_table(exact.table, Packing::Int8Row);
  const HeadBound bound(exact.table, coarse);
  const std::vector<float> rough = logits_of(coarse, x);
  std::vector<std::uint32_t> rows;
  ASSERT_TRUE(bound.candidates(x, rough, 1, kRows, rows));
  for (const std::uint32_t copy : {0u, 9u, 300u, 650u}) {
    EXPECT_TRUE(std::binary_search(rows.begin(), rows.end(), copy));
  }
  EXPECT_FALSE(bound.candidates(x, rough, 1, rows.size() - 1, rows));
}

TEST(HeadBoundTest, GivesUpOnNanAndInfinity) {
  const OwnedTable exact = random_table(Packing::Bf16, 6);
  const Table coarse = convert_table(exact.table, Packing::Int8Row);
  const HeadBound bound(exact.table, coarse);
  std::vector<float> x(kColumns, 1.0f), rough(kRows, 1.0f);
  std::vector<std::uint32_t> rows;
  EXPECT_TRUE(bound.candidates(x, rough, 1, kRows, rows));
  rough[kRows - 1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(bound.candidates(x, rough, 1, kRows, rows));
  rough[kRows - 1] = 1;
  x[5] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(bound.candidates(x, rough, 1, kRows, rows));
}

TEST(HeadFormatTest, HasNames) {
  EXPECT_EQ(head_format("exact"), HeadFormat::Exact);
  EXPECT_EQ(head_format_name(head_format("bits6")), "bits6");
  EXPECT_THROW(head_format("int4"), UsageError);
}

TEST(HeadFormatTest, AutoIsExactWhereFewLogitsDecideOnACpu) {
  EXPECT_EQ(choose_head(HeadFormat::Auto, Backend::Cpu, 1), HeadFormat::Exact);
  EXPECT_EQ(choose_head(HeadFormat::Auto, Backend::Cpu, 0), HeadFormat::Stored);
  EXPECT_EQ(choose_head(HeadFormat::Auto, Backend::Vulkan, 1), HeadFormat::Stored);
  EXPECT_EQ(choose_head(HeadFormat::Bits6, Backend::Cpu, 1), HeadFormat::Bits6);
}

// Prompt, then tokens one by one, along the greedy path of `a`.
void expect_same_best(Session& a, Session& b, std::uint32_t top) {
  KvCache cache_a(a.device(), a.config(), Packing::F32, 64);
  KvCache cache_b(b.device(), b.config(), Packing::F32, 64);
  std::vector<std::uint32_t> tokens{1, 5, 9, 2};
  for (int step = 0; step < 40; ++step) {
    const std::span<const float> want = a.transformer().forward(tokens, cache_a);
    const std::span<const float> got = b.transformer().forward(tokens, cache_b, top);
    const std::vector<std::uint32_t> best = largest(want, top);
    ASSERT_EQ(largest(got, top), best) << "step " << step;
    for (const std::uint32_t id : best) ASSERT_EQ(got[id], want[id]) << "step " << step;
    tokens = {best.front()};
  }
}

TEST(HeadFormatTest, ExactGivesTheBestLogitsOfTheFullProduct) {
  for (const char* model : {"", "synthetic:odd/1"}) {
    Session stored({.model = model});
    Session exact({.model = model, .head = HeadFormat::Exact});
    for (const std::uint32_t top : {1u, 2u, 40u}) expect_same_best(stored, exact, top);
  }
}

TEST(HeadFormatTest, FormatsAreCloseToStored) {
  Session stored({});
  KvCache cache(stored.device(), stored.config(), Packing::F32, 8);
  const std::vector<std::uint32_t> tokens{1, 5, 9, 2};
  const std::span<const float> logits = stored.transformer().forward(tokens, cache);
  const std::vector<float> want(logits.begin(), logits.end());
  const double size = std::sqrt(std::inner_product(want.begin(), want.end(), want.begin(), 0.0));
  // Share of the logits' length that a format may be off: from exact, over a step of 1/254 of the
  // largest element of a row, to one of 1/64. The embedding is rounded, too, and the layers amplify
  // that: hence the factor of ten.
  const std::pair<HeadFormat, double> formats[] = {{HeadFormat::F32, 0},
                                                   {HeadFormat::F16, 10 * 0x1p-11},
                                                   {HeadFormat::Int8, 10 / 254.0},
                                                   {HeadFormat::Bits6, 10 / 64.0}};
  for (const auto& [format, share] : formats) {
    Session other({.head = format});
    KvCache own(other.device(), other.config(), Packing::F32, 8);
    const std::span<const float> got = other.transformer().forward(tokens, own);
    double difference = 0;
    for (std::size_t i = 0; i < want.size(); ++i)
      difference += std::pow(double{got[i]} - want[i], 2);
    EXPECT_LE(std::sqrt(difference), share * size) << head_format_name(format);
    EXPECT_EQ(largest(got, 1), largest(want, 1)) << head_format_name(format);
    if (format == HeadFormat::Bits6) {
      EXPECT_LT(other.transformer().table_bytes(), stored.transformer().table_bytes() / 2);
    }
  }
}

}  // namespace
}  // namespace rotor
