#include "verify/reference.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <thread>

#include <Eigen/Core>

namespace rotor::reference {
namespace {

template <typename Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr double kSmallestNormal = 0x1p-126;  // below it devices may flush to zero

template <typename To, typename From>
Matrix<To> matrix(std::span<const From> data, std::size_t rows, std::size_t columns) {
  using Index = Eigen::Index;
  return Eigen::Map<const Matrix<From>>(data.data(), static_cast<Index>(rows),
                                        static_cast<Index>(columns))
      .template cast<To>();
}

// Calls body(first, count) for blocks of weight rows, so that only a block is widened at a time.
template <typename Body>
void for_row_blocks(std::uint32_t n, unsigned threads, const Body& body) {
  constexpr std::uint32_t kRows = 128;  // a block of the widest layer in double is 7 MB
  const auto work = [&](unsigned worker) {
    for (std::uint32_t first = worker * kRows; first < n; first += threads * kRows) {
      body(first, std::min(kRows, n - first));
    }
  };
  std::vector<std::jthread> others;
  for (unsigned worker = 1; worker < threads; ++worker) others.emplace_back(work, worker);
  work(0);
}

// value = scale * (x . w), bound = gamma(k + 1) * |scale| * (|x| . |w|): k roundings of products and
// sums in any order, one of the scale.
template <typename Weight>
Floats scaled_product(std::span<const float> x, std::span<const Weight> weights,
                      std::span<const float> scales, std::uint32_t m, std::uint32_t n,
                      std::uint32_t k, unsigned threads) {
  Floats result{std::vector<double>(std::size_t{m} * n), std::vector<double>(std::size_t{m} * n),
                k};
  const Matrix<double> a = matrix<double>(x, m, k);
  const Matrix<double> a_abs = a.cwiseAbs();
  const double g = gamma(k + 1.0);
  for_row_blocks(n, threads, [&](std::uint32_t first, std::uint32_t count) {
    const auto w =
        matrix<double>(weights.subspan(std::size_t{first} * k, std::size_t{count} * k), count, k);
    const Matrix<double> sums = a * w.transpose();
    const Matrix<double> magnitudes = a_abs * w.cwiseAbs().transpose();
    for (std::uint32_t t = 0; t < m; ++t) {
      for (std::uint32_t r = 0; r < count; ++r) {
        const double scale = scales.empty() ? 1.0 : scales[first + r];
        const std::size_t i = std::size_t{t} * n + first + r;
        result.value[i] = scale * sums(t, r);
        result.bound[i] = g * std::fabs(scale) * magnitudes(t, r);
      }
    }
  });
  return result;
}

// A row after its norm, with what the quantiser needs to know about its errors.
struct NormedRow {
  std::vector<double> y;
  double common = 0;   // relative error that all elements share: that of the root of the mean
  double element = 0;  // relative error of each element beside it
};

NormedRow norm_row(std::span<const double> x, std::span<const float> gain, double epsilon,
                   double roundings) {
  const double k = static_cast<double>(x.size());
  double squares = 0;
  for (const double v : x) squares += v * v;
  const double inverse = 1 / std::sqrt(squares / k + epsilon);
  NormedRow row;
  for (std::size_t j = 0; j < x.size(); ++j) row.y.push_back(x[j] * inverse * gain[j]);
  // The mean: k squares and sums of positive numbers, then a division (2.5 ulp, so 5 roundings) and
  // epsilon; under the root that halves. Root and reciprocal: 5 roundings each.
  row.common = gamma((k + 6 + 2 * roundings) / 2 + 10);
  // Times (or divided by) the root, times the gain.
  row.element = gamma(6 + roundings);
  return row;
}

}  // namespace

double gamma(double n) {
  if (!(n * kUnitRoundoff < 1)) return std::numeric_limits<double>::quiet_NaN();
  return n * kUnitRoundoff / (1 - n * kUnitRoundoff);
}

std::vector<std::int64_t> product_loops(std::span<const std::int8_t> codes,
                                        std::span<const std::int8_t> trits, std::uint32_t m,
                                        std::uint32_t n, std::uint32_t k) {
  std::vector<std::int64_t> products(std::size_t{m} * n);
  for (std::size_t t = 0; t < m; ++t) {
    for (std::size_t r = 0; r < n; ++r) {
      std::int64_t sum = 0;
      for (std::size_t j = 0; j < k; ++j) {
        sum += std::int64_t{codes[t * k + j]} * trits[r * k + j];
      }
      products[t * n + r] = sum;
    }
  }
  return products;
}

std::vector<float> product_eigen(std::span<const std::int8_t> codes,
                                 std::span<const std::int8_t> trits, std::uint32_t m,
                                 std::uint32_t n, std::uint32_t k, unsigned threads) {
  assert(128ull * k < (1u << 24));
  std::vector<float> products(std::size_t{m} * n);
  Eigen::Map<Matrix<float>> out(products.data(), m, n);
  const Matrix<float> a = matrix<float>(codes, m, k);
  for_row_blocks(n, threads, [&](std::uint32_t first, std::uint32_t count) {
    const auto w =
        matrix<float>(trits.subspan(std::size_t{first} * k, std::size_t{count} * k), count, k);
    out.middleCols(first, count).noalias() = a * w.transpose();
  });
  return products;
}

std::vector<float> scale_products(std::span<const float> products, std::span<const float> scales,
                                  std::span<const float> token_scales) {
  const std::size_t n = scales.size();
  std::vector<float> out(products.size());
  for (std::size_t t = 0; t < token_scales.size(); ++t) {
    for (std::size_t r = 0; r < n; ++r) {
      // An exact zero is +0, whatever the signs of the products: integers have no other.
      const float sum = products[t * n + r] + 0.0f;
      out[t * n + r] = sum * (scales[r] * token_scales[t]);
    }
  }
  return out;
}

Floats matmul(std::span<const float> x, std::span<const float> weights,
              std::span<const float> scales, std::uint32_t m, std::uint32_t n, std::uint32_t k) {
  return scaled_product(x, weights, scales, m, n, k, 1);
}

Floats matmul(std::span<const float> x, std::span<const std::int8_t> trits,
              std::span<const float> scales, std::uint32_t m, std::uint32_t n, std::uint32_t k,
              unsigned threads) {
  return scaled_product(x, trits, scales, m, n, k, threads);
}

std::vector<float> add(std::span<const float> x, std::span<const float> delta) {
  std::vector<float> sum(x.size());
  std::transform(x.begin(), x.end(), delta.begin(), sum.begin(), std::plus<>());
  return sum;
}

NormInput relu2(std::span<const float> gate_up, std::uint32_t m, std::uint32_t k) {
  NormInput input{.x = {}, .roundings = 2};
  for (std::size_t t = 0; t < m; ++t) {
    for (std::size_t j = 0; j < k; ++j) {
      const double gate = std::max(0.0, double{gate_up[t * 2 * k + j]});
      input.x.push_back(gate * gate * gate_up[t * 2 * k + k + j]);
    }
  }
  return input;
}

Floats rms_norm(const NormInput& input, std::span<const float> gain, float epsilon, std::uint32_t m,
                std::uint32_t k) {
  Floats result{{}, {}, k};
  for (std::size_t t = 0; t < m; ++t) {
    const NormedRow row =
        norm_row(std::span(input.x).subspan(t * k, k), gain, epsilon, input.roundings);
    for (const double y : row.y) {
      result.value.push_back(y);
      result.bound.push_back((row.common + row.element) * std::fabs(y) + kSmallestNormal);
    }
  }
  return result;
}

Quantised quantise(const NormInput& input, std::span<const float> gain, float epsilon,
                   std::uint32_t m, std::uint32_t k) {
  constexpr double kFloor = 1e-5;  // of the largest magnitude, ops.h
  Quantised result;
  for (std::size_t t = 0; t < m; ++t) {
    const NormedRow row =
        norm_row(std::span(input.x).subspan(t * k, k), gain, epsilon, input.roundings);
    double largest = 0;
    for (const double y : row.y) largest = std::max(largest, std::fabs(y));
    const double top = std::max(largest, kFloor);
    // The root's error is in y and in top alike and cancels, unless top is the floor. What is left:
    // an element's own error in y and in top, 127 / top (5 roundings) and the product (1).
    const bool floored = largest <= kFloor * (1 + 2 * row.common);
    const double error = 2 * row.element + gamma(6) + (floored ? row.common : 0);
    for (const double y : row.y) {
      result.position.push_back(y * (127 / top));
      result.border.push_back(error * std::fabs(result.position.back()) + kSmallestNormal);
    }
    result.scale.push_back(top / 127);
    // 1/127 and the product round once each.
    result.scale_bound.push_back((row.common + row.element + gamma(2)) * top / 127);
  }
  return result;
}

Floats rotate(std::span<const float> head, std::span<const float> angles) {
  const std::size_t half = head.size() / 2;
  Floats result{std::vector<double>(head.size()), std::vector<double>(head.size()), 2};
  for (std::size_t i = 0; i < half; ++i) {
    const double a = head[i];
    const double b = head[i + half];
    const double cosine = angles[i];
    const double sine = angles[i + half];
    result.value[i] = a * cosine - b * sine;
    result.value[i + half] = b * cosine + a * sine;
    // A product and a sum are two roundings.
    result.bound[i] = gamma(2) * (std::fabs(a * cosine) + std::fabs(b * sine)) + kSmallestNormal;
    result.bound[i + half] =
        gamma(2) * (std::fabs(b * cosine) + std::fabs(a * sine)) + kSmallestNormal;
  }
  return result;
}

}  // namespace rotor::reference
