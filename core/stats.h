// Statistics of timing samples: pure functions, golden tests. No clock is read here.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace rotor {

// Quantile q in [0, 1] of the samples by linear interpolation between order statistics (Hyndman and
// Fan, type 7). Samples need not be sorted; there must be at least one.
double quantile(std::span<const double> samples, double q);
double median(std::span<const double> samples);

// Median absolute deviation from the median, unscaled.
double median_absolute_deviation(std::span<const double> samples);

// Distribution-free confidence interval of the median from order statistics: the narrowest
// symmetric pair whose binomial coverage is at least `confidence`; the extremes if none reaches it.
std::pair<double, double> median_interval(std::span<const double> samples, double confidence);

}  // namespace rotor
