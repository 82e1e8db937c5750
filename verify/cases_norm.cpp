#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "verify/cases.h"

namespace rotor {
namespace {

constexpr std::uint32_t kColumns[] = {1,  3,  4,   15,  16,  17,   31,   33,  63,
                                      64, 65, 127, 129, 257, 1003, 2560, 6912};
constexpr std::uint32_t kBatches[] = {1, 2, 3, 4, 7, 8, 16, 17, 33};
constexpr float kEpsilon = 1e-5f;

// What one token looks like before its norm.
enum class TokenKind : std::uint8_t { Normal, Zeros, Tiny, Huge, Outlier, Constant, Alternating };

struct NormDistribution {
  std::string_view name;
  std::vector<TokenKind> tokens;  // in turn
};

std::vector<NormDistribution> norm_distributions() {
  using enum TokenKind;
  return {{"composite", {Normal, Outlier, Zeros, Huge, Constant, Tiny, Alternating}},
          {"llm_like", {Normal, Outlier}},
          {"all_max", {Constant}},
          {"zeros", {Zeros}},
          {"tiny_scale", {Tiny}},
          {"huge_scale", {Huge}},
          {"alternating", {Alternating}}};
}

void fill_token(TokenKind kind, Random& random, std::span<float> row) {
  for (std::size_t j = 0; j < row.size(); ++j) {
    switch (kind) {
      case TokenKind::Normal:
      case TokenKind::Outlier:
        row[j] = normal(random);
        break;
      case TokenKind::Zeros:
        row[j] = 0;
        break;
      // So small that epsilon decides the norm and the floor of the quantiser its scale.
      case TokenKind::Tiny:
        row[j] = normal(random) * 1e-9f;
        break;
      // The residual stream reaches hundreds, the product in the FFN 1e10: 2e3 is the gate that
      // makes it (bitnet-2b4t 1.6).
      case TokenKind::Huge:
        row[j] = normal(random) * 2e3f;
        break;
      case TokenKind::Constant:
        row[j] = 3;
        break;
      case TokenKind::Alternating:
        row[j] = j % 2 == 0 ? 100.0f : -100.0f;
        break;
    }
  }
  if (kind == TokenKind::Outlier) row[random.below(static_cast<std::uint32_t>(row.size()))] = 300;
}

// Gains as checkpoints have them: near one, with a few negative, zero and decayed to 1e-33.
std::vector<float> make_gain(Random& random, std::uint32_t k) {
  std::vector<float> gain(k);
  for (float& g : gain) {
    g = static_cast<float>(0.5 + random.uniform());
    switch (random.below(16)) {
      case 0:
        g = -g;
        break;
      case 1:
        g = 0;
        break;
      case 2:
        g = 1e-33f;
        break;
      default:
        break;
    }
  }
  return gain;
}

// Everything a norm reads, and what it should give.
struct NormCase {
  Op op;
  NormParams params;
  std::vector<float> x;      // [m, k], or [m, 2k] gate and up
  std::vector<float> delta;  // [m, k] of the ops that add
  std::vector<float> gain;

  bool adds() const { return op == Op::AddNormQuant || op == Op::AddNorm; }
  // What the norm sees, and what the residual stream must be afterwards.
  std::vector<float> residual() const { return adds() ? reference::add(x, delta) : x; }
  reference::NormInput input() const {
    if (op == Op::Relu2NormQuant) return reference::relu2(x, params.m, params.k);
    const std::vector<float> sum = residual();
    return {.x = std::vector<double>(sum.begin(), sum.end()), .roundings = 0};
  }
};

NormCase make_case(Op op, const NormDistribution& distribution, std::uint64_t seed, std::uint32_t m,
                   std::uint32_t k, std::uint32_t first_kind) {
  Random random(mix(seed) ^ fnv1a(distribution.name) ^ mix(first_kind));
  NormCase c{op, {m, k, activation_stride(k), kEpsilon}, {}, {}, make_gain(random, k)};
  const std::uint32_t width = op == Op::Relu2NormQuant ? 2 * k : k;
  c.x.resize(std::size_t{m} * width);
  for (std::uint32_t t = 0; t < m; ++t) {
    const TokenKind kind = distribution.tokens[(first_kind + t) % distribution.tokens.size()];
    fill_token(kind, random, std::span(c.x).subspan(std::size_t{t} * width, width));
  }
  if (c.adds()) {
    c.delta.resize(c.x.size());
    for (std::size_t i = 0; i < c.x.size(); ++i)
      c.delta[i] = c.x[i] == 0 ? 0 : 0.5f * normal(random);
  }
  return c;
}

NormCase single(const NormCase& batch, std::uint32_t t) {
  NormCase one = batch;
  one.params.m = 1;
  const auto cut = [&](std::vector<float>& rows) {
    const std::size_t width = rows.size() / batch.params.m;
    rows = std::vector<float>(rows.begin() + static_cast<std::ptrdiff_t>(t * width),
                              rows.begin() + static_cast<std::ptrdiff_t>((t + 1) * width));
  };
  cut(one.x);
  cut(one.delta);
  return one;
}

// Codes, their padding, scale and sum of every token.
Comparison compare_quantised(const reference::Quantised& want, const NormParams& p,
                             std::span<const std::int8_t> codes,
                             std::span<const TokenScale> tokens) {
  Comparison result;
  double worst = 0;
  for (std::uint32_t t = 0; t < p.m; ++t) {
    int sum = 0;
    for (std::uint32_t j = 0; j < p.stride; ++j) {
      const int code = codes[std::size_t{t} * p.stride + j];
      const std::size_t i = std::size_t{t} * p.k + j;
      const double position = j < p.k ? want.position[i] : 0;
      const double allowed = j < p.k ? 0.5 + want.border[i] : 0;
      const bool right = std::fabs(code - position) <= allowed && std::abs(code) <= 127;
      result.add(t, j, std::nearbyint(position), code, right);
      if (right && code != std::nearbyint(position)) ++result.flips;
      sum += code;
    }
    const double error = std::fabs(tokens[t].scale - want.scale[t]);
    worst = std::max(worst, error / want.scale_bound[t]);
    result.add(t, p.stride, want.scale[t], tokens[t].scale, error <= want.scale_bound[t]);
    result.add(t, p.stride + 1, sum, tokens[t].sum, tokens[t].sum == sum);
  }
  result.max_over_bound = worst;
  return result;
}

std::function<Comparison(After)> judge(const NormCase& c) {
  const NormParams p = c.params;
  const auto residual = std::make_shared<std::vector<float>>(c.residual());
  const bool adds = c.adds();
  if (c.op == Op::AddNorm) {
    auto want = reference::rms_norm(c.input(), c.gain, p.epsilon, p.m, p.k);
    return [=, want = std::move(want)](After after) {
      Comparison result = compare_exact(*residual, view_as<float>(after[0]), p.k, p.k);
      result.merge(compare_bounded(want.value, want.bound, 1, view_as<float>(after[3]), p.k, p.k));
      return result;
    };
  }
  auto want = reference::quantise(c.input(), c.gain, p.epsilon, p.m, p.k);
  return [=, want = std::move(want)](After after) {
    Comparison result;
    if (adds) result = compare_exact(*residual, view_as<float>(after[0]), p.k, p.k);
    result.merge(compare_quantised(want, p, view_as<std::int8_t>(after[after.size() - 2]),
                                   view_as<TokenScale>(after.back())));
    return result;
  };
}

Launch make_launch(const NormCase& c, std::string_view distribution, std::uint64_t seed) {
  Launch launch;
  launch.distribution = distribution;
  launch.shape = "m=" + std::to_string(c.params.m) + " k=" + std::to_string(c.params.k);
  launch.seed = seed;
  launch.digest =
      digest(std::as_bytes(std::span(c.x)),
             digest(std::as_bytes(std::span(c.gain)), digest(std::as_bytes(std::span(c.delta)))));
  launch.tokens = c.params.m;
  const auto params = as_bytes(c.params);
  launch.params.assign(params.begin(), params.end());
  launch.buffers.push_back(to_bytes(c.x));
  if (c.adds()) launch.buffers.push_back(to_bytes(c.delta));
  launch.buffers.push_back(to_bytes(c.gain));
  launch.buffers.resize(contract(c.op).buffers.size());
  launch.judge = judge(c);
  return launch;
}

}  // namespace

float normal(Random& random) {
  double sum = -2;
  for (int i = 0; i < 4; ++i) sum += random.uniform();
  return static_cast<float>(sum * std::sqrt(3.0));
}

std::vector<Launch> norm_battery(const KernelVariant& variant, std::uint64_t seed) {
  std::vector<Launch> launches;
  std::uint32_t next_kind = 0;
  const auto add = [&](const NormDistribution& d, std::uint32_t m, std::uint32_t k) {
    const NormCase batch = make_case(variant.op, d, seed, m, k, next_kind++);
    const std::size_t index = launches.size();
    launches.push_back(make_launch(batch, d.name, seed));
    for (const std::uint32_t t : {0u, m / 2, m - 1}) {
      if (m == 1) break;
      launches.push_back(make_launch(single(batch, t), d.name, seed));
      launches.back().row_of = RowOf{index, t};
    }
  };
  const std::vector<NormDistribution> all = norm_distributions();
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    add(all.front(), kBatches[i % std::size(kBatches)], kColumns[i]);
  }
  for (const NormDistribution& d : all) {
    add(d, 7, 1003);
    add(d, 8, 259);
  }
  return launches;
}

}  // namespace rotor
