#include "core/stats.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace rotor {
namespace {

std::vector<double> sorted(std::span<const double> samples) {
  std::vector<double> copy(samples.begin(), samples.end());
  std::sort(copy.begin(), copy.end());
  return copy;
}

double quantile_of_sorted(std::span<const double> ordered, double q) {
  assert(!ordered.empty() && q >= 0 && q <= 1);
  const double position = q * static_cast<double>(ordered.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, ordered.size() - 1);
  const double fraction = position - static_cast<double>(below);
  return ordered[below] + fraction * (ordered[above] - ordered[below]);
}

// How many samples lie outside the interval of the median on each side: the largest r such that
// [x(r), x(n-1-r)], counted from 0, covers the median with at least `confidence`; nothing if not
// even the extremes do. Coverage is 1 - 2 P(Binomial(n, 1/2) <= r). Terms are summed as logarithms,
// because 2^-n underflows from n = 1075.
std::ptrdiff_t samples_outside(std::size_t n, double confidence) {
  const double limit = (1 - confidence) / 2;
  const double count = static_cast<double>(n);
  double tail = 0;
  std::ptrdiff_t outside = -1;
  for (std::size_t i = 0; 2 * i + 1 < n; ++i) {
    const double x = static_cast<double>(i);
    tail += std::exp(std::lgamma(count + 1) - std::lgamma(x + 1) - std::lgamma(count - x + 1) -
                     count * std::log(2.0));
    // A relative slack of 1e-9, because an exact tie (confidence 0.5, n = 2) must count.
    if (tail > limit * (1 + 1e-9)) break;
    outside = static_cast<std::ptrdiff_t>(i);
  }
  return outside;
}

// P(sum <= s) for the sum of a random subset of 1 ... n: the rank sum of one sign.
std::vector<double> rank_sum_distribution(std::size_t n) {
  std::vector<double> share = {1};  // of the subsets, by their sum
  for (std::size_t rank = 1; rank <= n; ++rank) {
    std::vector<double> next(share.size() + rank);
    for (std::size_t sum = 0; sum < share.size(); ++sum) {
      next[sum] += share[sum] / 2;
      next[sum + rank] += share[sum] / 2;
    }
    share = std::move(next);
  }
  std::partial_sum(share.begin(), share.end(), share.begin());
  return share;
}

std::vector<double> pair_means(std::span<const double> x) {
  std::vector<double> means;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = i; j < x.size(); ++j) means.push_back((x[i] + x[j]) / 2);
  }
  return means;
}

}  // namespace

double quantile(std::span<const double> samples, double q) {
  return quantile_of_sorted(sorted(samples), q);
}

double median(std::span<const double> samples) {
  return quantile(samples, 0.5);
}

double median_absolute_deviation(std::span<const double> samples) {
  const double middle = median(samples);
  std::vector<double> deviations;
  deviations.reserve(samples.size());
  for (const double x : samples) deviations.push_back(std::fabs(x - middle));
  return median(deviations);
}

std::pair<double, double> median_interval(std::span<const double> samples, double confidence) {
  const std::vector<double> ordered = sorted(samples);
  assert(!ordered.empty());
  const std::ptrdiff_t outside = samples_outside(ordered.size(), confidence);
  const auto low = static_cast<std::size_t>(std::max<std::ptrdiff_t>(outside, 0));
  return {ordered[low], ordered[ordered.size() - 1 - low]};
}

double median_uncertainty(std::span<const double> samples, double confidence) {
  if (samples_outside(samples.size(), confidence) < 0) {
    return std::numeric_limits<double>::infinity();
  }
  const auto [low, high] = median_interval(samples, confidence);
  return (high - low) / 2 / median(samples);
}

double relative_trend(std::span<const double> samples) {
  if (samples.size() < 6) return 0;
  const std::size_t third = samples.size() / 3;
  return (median(samples.last(third)) - median(samples.first(third))) / median(samples);
}

// The c-th smallest and c-th largest mean of pairs bound the shift, where c is the largest number
// with P(rank sum < c) within half of what the confidence leaves.
Shift signed_rank_shift(std::span<const double> differences, double confidence) {
  assert(!differences.empty());
  const std::vector<double> means = sorted(pair_means(differences));
  const std::vector<double> at_most = rank_sum_distribution(differences.size());
  const double limit = (1 - confidence) / 2 * (1 + 1e-9);
  std::size_t c = 0;
  while (c < means.size() && at_most[c] <= limit) ++c;
  const double infinity = std::numeric_limits<double>::infinity();
  if (c == 0) return {quantile_of_sorted(means, 0.5), -infinity, infinity};
  return {quantile_of_sorted(means, 0.5), means[c - 1], means[means.size() - c]};
}

// The rank sum of the positive differences is the number of means of pairs above the shift.
double signed_rank_p(std::span<const double> differences, double shift) {
  const std::vector<double> means = pair_means(differences);
  const auto above = static_cast<std::size_t>(
      std::count_if(means.begin(), means.end(), [&](double mean) { return mean > shift; }));
  if (above == 0) return 1;
  return 1 - rank_sum_distribution(differences.size())[above - 1];
}

std::vector<bool> benjamini_hochberg(std::span<const double> p, double q) {
  const std::vector<double> ordered = sorted(p);
  double threshold = -1;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    const double limit = q * static_cast<double>(i + 1) / static_cast<double>(ordered.size());
    if (ordered[i] <= limit) threshold = ordered[i];
  }
  std::vector<bool> significant;
  for (const double value : p) significant.push_back(value <= threshold);
  return significant;
}

// The series of the lower function below its mean, where it converges fast, else the continued
// fraction of the upper one (Abramowitz and Stegun 6.5.29 and 6.5.31, evaluated by Lentz's method).
double chi_square_tail(double x, std::size_t freedom) {
  assert(freedom > 0 && !std::isnan(x));
  if (x <= 0) return 1;
  const double a = static_cast<double>(freedom) / 2;
  const double y = x / 2;
  const double scale = std::exp(a * std::log(y) - y - std::lgamma(a));
  constexpr double kEnough = 1e-15;
  if (y < a + 1) {
    double term = 1 / a;
    double sum = term;
    for (double n = a + 1; term > sum * kEnough; ++n) sum += term *= y / n;
    return 1 - scale * sum;
  }
  constexpr double kTiny = 1e-300;  // in place of a division by zero
  double b = y + 1 - a;
  double c = 1 / kTiny;
  double d = 1 / b;
  double fraction = d;
  for (double i = 1; i < 1e6; ++i) {
    const double numerator = -i * (i - a);
    b += 2;
    d = numerator * d + b;
    c = b + numerator / c;
    d = 1 / (std::abs(d) < kTiny ? kTiny : d);
    if (std::abs(c) < kTiny) c = kTiny;
    fraction *= d * c;
    if (std::abs(d * c - 1) < kEnough) break;
  }
  return scale * fraction;
}

}  // namespace rotor
