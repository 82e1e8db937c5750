// The norms, with and without the quantiser behind them: against double precision, and all rows of
// an op against each other, bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernels/run_row.h"

namespace rotor {
namespace {

constexpr double kUnit = 0x1p-24;  // unit roundoff of f32
constexpr float kEpsilon = 1e-5f;

// Buffers of any of the four ops. gate_up stands in for x where the op is Relu2NormQuant.
struct NormCase {
  NormParams p;
  std::vector<float> x, delta, gain, out;
  std::vector<std::int8_t> codes;
  std::vector<TokenScale> tokens;
};

NormCase make_case(Op op, std::uint32_t m, std::uint32_t k, const std::vector<float>& x) {
  NormCase c{{m, k, activation_stride(k), kEpsilon}, x, {}, {}, {}, {}, {}};
  c.delta = op == Op::NormQuant || op == Op::Relu2NormQuant ? std::vector<float>()
                                                            : random_floats(x.size(), 0.5f, 7);
  c.gain = random_floats(k, 1.0f, 8);
  c.out.assign(std::size_t{m} * k, -1.0f);
  c.codes.assign(std::size_t{m} * c.p.stride, 99);
  c.tokens.assign(m, {99, 99});
  return c;
}

void run(const KernelVariant& row, NormCase& c, const std::vector<std::uint32_t>& cuts = {}) {
  switch (row.op) {
    case Op::AddNorm:
      return run_row(row, {c.x.data(), c.delta.data(), c.gain.data(), c.out.data()}, c.p, cuts);
    case Op::AddNormQuant:
      return run_row(row,
                     {c.x.data(), c.delta.data(), c.gain.data(), c.codes.data(), c.tokens.data()},
                     c.p, cuts);
    default:
      return run_row(row, {c.x.data(), c.gain.data(), c.codes.data(), c.tokens.data()}, c.p, cuts);
  }
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
}

bool same_tokens(const std::vector<TokenScale>& a, const std::vector<TokenScale>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(TokenScale)) == 0;
}

// What the norm sees of token t: in f32 where the contract says so, then exact.
std::vector<double> norm_input(Op op, const NormCase& c, std::size_t t) {
  const std::size_t k = c.p.k;
  std::vector<double> x(k);
  for (std::size_t j = 0; j < k; ++j) {
    if (op == Op::Relu2NormQuant) {
      const float gate = std::max(c.x[t * 2 * k + j], 0.0f);
      x[j] = gate * gate * c.x[t * 2 * k + k + j];
    } else if (op == Op::NormQuant) {
      x[j] = c.x[t * k + j];
    } else {
      x[j] = c.x[t * k + j] + c.delta[t * k + j];
    }
  }
  return x;
}

std::vector<double> normed(const std::vector<double>& x, const std::vector<float>& gain) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  const double inverse = 1 / std::sqrt(sum / static_cast<double>(x.size()) + double{kEpsilon});
  std::vector<double> y(x.size());
  for (std::size_t j = 0; j < x.size(); ++j) y[j] = x[j] * inverse * gain[j];
  return y;
}

// Activations as they come and as they hurt.
struct Fill {
  std::string name;
  std::vector<float> (*values)(std::size_t count);
};

const Fill kFills[] = {
    {"random", [](std::size_t count) { return random_floats(count, 2.0f, 1); }},
    {"huge", [](std::size_t count) { return random_floats(count, 1e10f, 2); }},
    {"subnormal", [](std::size_t count) { return random_floats(count, 1e-39f, 3); }},
    {"zeros", [](std::size_t count) { return std::vector<float>(count, 0.0f); }},
    {"one_hot",
     [](std::size_t count) {
       std::vector<float> values(count, 0.0f);
       values[count / 3] = -8.0f;
       return values;
     }},
    {"outlier",
     [](std::size_t count) {
       std::vector<float> values = random_floats(count, 0.1f, 4);
       values[count - 1] = 5e3f;
       return values;
     }},
    {"extremes",
     [](std::size_t count) {
       std::vector<float> values(count);
       for (std::size_t j = 0; j < count; ++j) values[j] = j % 2 == 0 ? 100.0f : -100.0f;
       return values;
     }},
};

class NormRows : public testing::TestWithParam<const KernelVariant*> {
 protected:
  // Calls body(fill name, case) for shapes on and off every vector width.
  template <typename Body>
  void for_each_case(Body body) const {
    const Op op = GetParam()->op;
    for (const std::uint32_t k : {1u, 15u, 16u, 17u, 48u, 65u, 100u, 640u, 2560u}) {
      for (const std::uint32_t m : {1u, 3u}) {
        for (const Fill& fill : kFills) {
          const std::size_t count = std::size_t{m} * k * (op == Op::Relu2NormQuant ? 2 : 1);
          SCOPED_TRACE(fill.name + ", k " + std::to_string(k) + ", m " + std::to_string(m));
          body(make_case(op, m, k, fill.values(count)));
        }
      }
    }
  }
};

std::vector<const KernelVariant*> norm_rows() {
  std::vector<const KernelVariant*> rows;
  for (const Op op : {Op::NormQuant, Op::AddNormQuant, Op::Relu2NormQuant, Op::AddNorm}) {
    for (const KernelVariant* row : rows_here(op)) rows.push_back(row);
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Rows, NormRows, testing::ValuesIn(norm_rows()),
                         [](const auto& row) { return std::string(row.param->name.substr(4)); });

TEST_P(NormRows, MeetDoublePrecision) {
  const Op op = GetParam()->op;
  for_each_case([&](NormCase c) {
    const NormCase before = c;
    run(*GetParam(), c);
    for (std::size_t t = 0; t < c.p.m; ++t) {
      const std::vector<double> y = normed(norm_input(op, before, t), c.gain);
      double top = 1e-5f;
      for (const double v : y) top = std::max(top, std::fabs(v));
      // y has three roundings (1 / rms, and two products). A product below the normal range is off
      // by up to half the smallest subnormal instead, which the gain may then enlarge: up to 4
      // times here.
      const double floor = 4 * 0x1p-149;
      for (std::size_t j = 0; j < c.p.k; ++j) {
        if (op == Op::AddNorm) {
          const double bound = 3.1 * kUnit * std::fabs(y[j]) + floor;
          ASSERT_LE(std::fabs(c.out[t * c.p.k + j] - y[j]), bound) << "element " << j;
        } else {
          // Scaled to at most 127, with five more roundings: of top (3), 127 / top, the product.
          const double bound = 0.5 + 8.1 * kUnit * 127 + floor * 127 / top;
          ASSERT_LE(std::fabs(c.codes[t * c.p.stride + j] - y[j] * 127 / top), bound) << j;
        }
      }
      if (op != Op::AddNorm) {
        ASSERT_NEAR(c.tokens[t].scale, top / 127, 5.1 * kUnit * top / 127) << "token " << t;
      }
    }
  });
}

TEST_P(NormRows, HaveTheBitsOfThePortableRow) {
  const KernelVariant& portable = *rows_here(GetParam()->op).back();
  for_each_case([&](NormCase c) {
    NormCase want = c;
    run(portable, want);
    run(*GetParam(), c);
    EXPECT_EQ(c.codes, want.codes);
    EXPECT_TRUE(same_tokens(c.tokens, want.tokens));
    EXPECT_TRUE(same_bits(c.x, want.x));
    EXPECT_TRUE(same_bits(c.out, want.out));
  });
}

TEST_P(NormRows, AddTheDeltaOnce) {
  const Op op = GetParam()->op;
  for_each_case([&](NormCase c) {
    const NormCase before = c;
    run(*GetParam(), c);
    for (std::size_t i = 0; i < c.x.size(); ++i) {
      const bool adds = op == Op::AddNorm || op == Op::AddNormQuant;
      ASSERT_EQ(c.x[i], adds ? before.x[i] + before.delta[i] : before.x[i]);
    }
  });
}

TEST_P(NormRows, DoNotDependOnTheSlices) {
  const bool wide = GetParam()->op == Op::Relu2NormQuant;
  NormCase whole = make_case(GetParam()->op, 7, 100, random_floats(700 * (wide ? 2 : 1), 2.0f, 5));
  NormCase cut = whole;
  run(*GetParam(), whole);
  run(*GetParam(), cut, {1, 1, 4, 6});
  EXPECT_EQ(whole.codes, cut.codes);
  EXPECT_TRUE(same_tokens(whole.tokens, cut.tokens));
  EXPECT_TRUE(same_bits(whole.out, cut.out));
}

}  // namespace
}  // namespace rotor
