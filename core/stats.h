// Statistics of timing samples: pure functions, golden tests. No clock is read here.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

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

// Wilcoxon's signed-rank method on paired differences (Hodges, Lehmann 1963): exact if a difference is
// as likely to be of either sign around the shift.
struct Shift {
  double estimate = 0;  // median of the means of all pairs of differences, each with itself too
  double low = 0;
  double high = 0;
};
// The shift and its interval. The interval is infinite where too few differences were taken for one
// with that confidence: below 7 for 98 %.
Shift signed_rank_shift(std::span<const double> differences, double confidence);
// How likely differences as large as these are if their shift is at most `shift`.
double signed_rank_p(std::span<const double> differences, double shift);

// Which of several tests remain significant when at most a share `q` of those may be false alarms
// (Benjamini, Hochberg 1995).
std::vector<bool> benjamini_hochberg(std::span<const double> p, double q);

// Probability that a chi-square variable with `freedom` degrees of freedom is at least `x`: the
// regularised upper incomplete gamma function Q(freedom / 2, x / 2).
double chi_square_tail(double x, std::size_t freedom);

}  // namespace rotor
