#include <algorithm>
#include <cmath>

#include "verify/reference.h"

namespace rotor::reference {
namespace {

// One query head against the positions it sees.
struct Head {
  std::span<const float> q;       // [head_dim]
  std::span<const float> keys;    // [positions, kv_heads, head_dim]
  std::span<const float> values;  // like keys
  std::size_t kv_head;
  std::size_t kv_heads;
  std::size_t visible;  // positions 0 .. visible - 1

  std::span<const float> row(std::span<const float> rows, std::size_t position) const {
    return rows.subspan((position * kv_heads + kv_head) * q.size(), q.size());
  }
};

// Softmax weights and how wrong each may be, relative to itself.
struct Weights {
  std::vector<double> weight;
  std::vector<double> error;
};

Weights softmax(const Head& head) {
  const double dim = static_cast<double>(head.q.size());
  std::vector<double> score(head.visible);
  std::vector<double> score_error(head.visible);
  for (std::size_t p = 0; p < head.visible; ++p) {
    const auto key = head.row(head.keys, p);
    double magnitude = 0;
    for (std::size_t i = 0; i < key.size(); ++i) {
      const double product = double{head.q[i]} * key[i];
      score[p] += product / std::sqrt(dim);
      magnitude += std::fabs(product) / std::sqrt(dim);
    }
    // head_dim products and sums; the division by the root of head_dim or what replaces it.
    score_error[p] = gamma(dim + 10) * magnitude;
  }
  const std::size_t top =
      static_cast<std::size_t>(std::max_element(score.begin(), score.end()) - score.begin());
  Weights result;
  double sum = 0;
  for (std::size_t p = 0; p < head.visible; ++p) {
    const double x = score[p] - score[top];
    result.weight.push_back(std::exp(x));
    sum += result.weight.back();
    // exp(x) within 3 + 2|x| ulp (Vulkan's limit), two roundings each; x itself rounds once.
    const double exponential = gamma(2 * (3 + 2 * std::fabs(x)) + std::fabs(x));
    result.error.push_back(score_error[p] + score_error[top] + exponential);
  }
  for (double& w : result.weight) w /= sum;
  return result;
}

}  // namespace

Floats attention(std::span<const float> q, std::span<const float> keys,
                 std::span<const float> values, const AttentionParams& params,
                 std::uint32_t first) {
  const std::size_t dim = params.head_dim;
  Floats result{{}, {}, params.head_dim};
  for (std::size_t t = 0; t < params.m; ++t) {
    for (std::size_t h = 0; h < params.heads; ++h) {
      const Head head{q.subspan((t * params.heads + h) * dim, dim),
                      keys,
                      values,
                      h / (params.heads / params.kv_heads),
                      params.kv_heads,
                      first + t + 1};
      const Weights weights = softmax(head);
      // The denominator is wrong by the weighted mean of the errors.
      double common = 0;
      double largest = 0;
      for (std::size_t p = 0; p < head.visible; ++p) {
        common += weights.weight[p] * weights.error[p];
        largest = std::max(largest, weights.error[p]);
      }
      // Two sums over the positions (numerator, denominator), and a rescaling wherever the running
      // maximum of an online softmax moves; the division.
      const double sums = gamma(4.0 * static_cast<double>(head.visible) + 10);
      for (std::size_t i = 0; i < dim; ++i) {
        double value = 0;
        double bound = 0;
        for (std::size_t p = 0; p < head.visible; ++p) {
          const double v = head.row(values, p)[i];
          value += weights.weight[p] * v;
          // First-order errors; (1 + largest)^2 covers their products.
          bound += (weights.weight[p] * (weights.error[p] + common + sums) * (1 + largest) *
                        (1 + largest) +
                    0x1p-126) *
                   std::fabs(v);
        }
        result.value.push_back(value);
        result.bound.push_back(bound);
      }
    }
  }
  return result;
}

}  // namespace rotor::reference
