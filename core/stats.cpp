#include "core/stats.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
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

}  // namespace rotor
