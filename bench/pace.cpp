#include "bench/pace.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

namespace rotor {
namespace {

// Launches of a sampling at least: two to warm up, three samples.
constexpr double kSampleLaunches = 5;

// What a kernel is taken to cost before any was seen, for two slow cores: 2 G multiply-adds and
// 50 M weights filled, checked and digested a second. Too dear rather than too cheap: what does
// not seem to fit is only put off.
constexpr double kGuessPerMac = 0.5e-9;
constexpr double kGuessPerWeight = 20e-9;
// All layers at once: made and judged on all cores, run by GPUs, or by one thread in a GPU's place. (An
// H100 and its 16 cores took 2.3e-9 a weight, which is 37e-9 a core, and 4e-13.)
constexpr double kGuessPerLayersWeightAndCore = 40e-9;
constexpr double kGuessPerLayersMac = 2e-10;

// Visits whose medians differ by more were disturbed, one of them at least, however much the samples of
// each agree. As much makes a median count as uncertain (reports/derive.cpp).
constexpr double kSameSpeed = 1.05;

bool agree(double launch_s, double other_s) {
  return std::max(launch_s, other_s) <= kSameSpeed * std::min(launch_s, other_s);
}

double weights_of(const Unit& unit) {
  if (unit.layers_weights > 0) return unit.layers_weights;
  return static_cast<double>(unit.n) * unit.k;
}
double cores() {
  return std::max(1u, std::thread::hardware_concurrency());
}
double macs_of(const Unit& unit) {
  return weights_of(unit) * unit.m;
}

}  // namespace

Pace::Pace(std::vector<Unit> units, std::uint64_t seed)
    : units_(std::move(units)),
      random_(seed),
      least_cost_(units_.size()),
      visits_(units_.size()),
      launch_s_(units_.size()),
      done_(units_.size()),
      failed_(units_.size()) {
  for (std::size_t i = 0; i < units_.size(); ++i) least_cost_[i] = estimate_cost(units_[i]);
}

// Scaled from the visit of the same kernel that was most alike: launches with the work, overhead
// with the weights, but never below what was seen (filling large buffers with many small weights
// takes as long as with a few large ones).
double Pace::estimate_cost(const Unit& unit) const {
  const double weights = weights_of(unit);
  const bool is_layers = unit.layers_weights > 0;
  double overhead =
      weights * (is_layers ? kGuessPerLayersWeightAndCore / cores() : kGuessPerWeight);
  double launch = macs_of(unit) * (is_layers ? kGuessPerLayersMac : kGuessPerMac);
  if (const auto found = seen_.find(unit.variant); found != seen_.end()) {
    const auto distance = [&](const Seen& s) {
      return std::fabs(std::log(weights / s.weights)) +
             std::fabs(std::log(static_cast<double>(unit.m) / s.m));
    };
    const Seen& like =
        *std::min_element(found->second.begin(), found->second.end(),
                          [&](const Seen& a, const Seen& b) { return distance(a) < distance(b); });
    overhead = like.overhead_s * std::max(1.0, weights / like.weights);
    launch = like.launch_s * (weights * unit.m) / (like.weights * like.m);
  }
  const double samplings = static_cast<double>(unit.cases.size());
  return overhead + launch * kSampleLaunches * samplings;
}

std::size_t Pace::visits_left() const {
  std::size_t count = queue_.size() + deferred_.size();
  if (round_ == 1) count += static_cast<std::size_t>(std::count(done_.begin(), done_.end(), false));
  return count;
}

double Pace::least_cost_left() const {
  double sum = 0;
  for (const std::size_t unit : queue_) sum += least_cost_[unit];
  for (const std::size_t unit : deferred_) sum += least_cost_[unit];
  if (round_ == 1) {
    for (std::size_t unit = 0; unit < units_.size(); ++unit) {
      if (!done_[unit]) sum += least_cost_[unit];
    }
  }
  return sum;
}

double Pace::slice(double remaining_s) const {
  std::size_t samplings = 0;
  for (const std::size_t unit : queue_) samplings += units_[unit].cases.size();
  const std::size_t visits = std::max<std::size_t>(visits_left(), 1);
  const double cases_per_visit =
      queue_.empty() ? 1 : static_cast<double>(samplings) / static_cast<double>(queue_.size());
  const double spare = std::max(0.0, remaining_s - least_cost_left());
  return std::min(kMaxSlice, spare / (static_cast<double>(visits) * cases_per_visit));
}

// Whether a unit belongs to those that the time left in this round is enough for, when the cheap
// ones are served first.
bool Pace::fits(std::size_t unit, double remaining_s) const {
  double sum = least_cost_[unit];
  for (const std::size_t other : queue_) {
    if (price(other) <= price(unit)) sum += least_cost_[other];
  }
  return sum <= remaining_s;
}

std::vector<std::size_t> Pace::shuffled(const std::vector<std::size_t>& units) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> shape_order;
  std::vector<std::pair<std::pair<std::uint64_t, std::uint64_t>, std::size_t>> keyed;
  for (const std::size_t unit : units) {
    const auto [shape, fresh] = shape_order.try_emplace({units_[unit].n, units_[unit].k}, 0);
    if (fresh) shape->second = random_.bits();
    keyed.push_back({{shape->second, random_.bits()}, unit});
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::size_t> order;
  for (const auto& [key, unit] : keyed) order.push_back(unit);
  return order;
}

// The first round takes all units, the second those that the time is enough for, cheapest first,
// later ones those that have not converged, or whose visits disagree.
void Pace::start_round(double remaining_s) {
  ++round_;
  draining_ = false;
  std::vector<std::size_t> candidates;
  for (std::size_t unit = 0; unit < units_.size(); ++unit) {
    const bool seen = visits_[unit] > 0;
    if (round_ == 1 || (seen && !done_[unit])) candidates.push_back(unit);
  }
  if (round_ > 1) {
    std::stable_sort(candidates.begin(), candidates.end(),
                     [&](std::size_t a, std::size_t b) { return price(a) < price(b); });
    double sum = 0;
    const auto too_dear = [&](std::size_t unit) {
      return (sum += least_cost_[unit]) > remaining_s;
    };
    candidates.erase(std::find_if(candidates.begin(), candidates.end(), too_dear),
                     candidates.end());
  }
  queue_ = shuffled(candidates);
}

std::optional<Visit> Pace::next(double remaining_s) {
  while (true) {
    if (queue_.empty() && !deferred_.empty()) {
      draining_ = true;
      queue_ = std::exchange(deferred_, {});
      std::sort(queue_.begin(), queue_.end(), [&](std::size_t a, std::size_t b) {
        return price(a) > price(b);  // taken from the back: the cheapest first
      });
    }
    if (queue_.empty()) {
      if (round_ == kMaxRounds) return std::nullopt;
      start_round(remaining_s);
      if (queue_.empty()) {
        round_ = kMaxRounds;
        return std::nullopt;
      }
    }
    const double slice_s = slice(remaining_s);
    const std::size_t unit = queue_.back();
    queue_.pop_back();
    if (fits(unit, remaining_s)) return Visit{unit, round_, slice_s};
    if (round_ > 1) continue;  // it has been visited
    (draining_ ? left_out_ : deferred_).push_back(unit);
  }
}

bool Pace::revisit(const std::vector<std::size_t>& units) {
  std::vector<std::size_t> again;
  for (const std::size_t unit : units) {
    if (visits_[unit] > 0 && visits_[unit] < kMostVisits && !failed_[unit]) again.push_back(unit);
  }
  queue_ = shuffled(again);
  return !queue_.empty();
}

void Pace::finished(const Visit& visit, const VisitCost& cost) {
  const Unit& unit = units_[visit.unit];
  ++visits_[visit.unit];
  const double before = std::exchange(launch_s_[visit.unit], cost.launch_s);
  failed_[visit.unit] = !cost.passed;
  done_[visit.unit] = !cost.passed || (cost.converged && visits_[visit.unit] >= kUsualRounds &&
                                       agree(before, cost.launch_s));
  if (!cost.passed || !(cost.launch_s > 0)) return;
  seen_[unit.variant].push_back({unit.m, weights_of(unit), cost.overhead_s, cost.launch_s});
  for (std::size_t i = 0; i < units_.size(); ++i) {
    if (units_[i].variant == unit.variant) least_cost_[i] = estimate_cost(units_[i]);
  }
}

double Pace::left_out_cost() const {
  double sum = 0;
  for (const std::size_t unit : left_out_) sum += least_cost_[unit];
  return sum;
}

std::size_t Pace::visited_once() const {
  std::size_t count = 0;
  for (std::size_t unit = 0; unit < units_.size(); ++unit) {
    count += visits_[unit] == 1 && !done_[unit];
  }
  return count;
}

double Pace::estimate_left(double remaining_s) const {
  double samples = 0;
  for (const std::size_t unit : queue_) samples += static_cast<double>(units_[unit].cases.size());
  if (round_ == 1) samples += static_cast<double>(units_.size());
  return std::clamp(least_cost_left() + samples * slice(remaining_s), 0.0,
                    std::max(remaining_s, 0.0));
}

}  // namespace rotor
