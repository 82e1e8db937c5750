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

// Half the width of that interval as a fraction of the median: how well the median is known. An
// interval that does not exist (too few samples) gives infinity. Samples must be positive.
double median_uncertainty(std::span<const double> samples, double confidence);

// Drift: how much larger the median of the last third is than that of the first third, as a
// fraction of the median of all. 0 with fewer than 6 samples.
double relative_trend(std::span<const double> samples);

}  // namespace rotor
