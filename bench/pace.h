// Pace: which case to visit next and how long to sample it, so that a run keeps to its budget. Pure
// arithmetic on times that others measured.
//
// A unit is what one trial serves: a kernel on a shape and batch, with cold weights and, where that
// is planned, with hot ones. In every round the shapes come in random order, and within a shape its
// units do, so that drift hits all alike; a unit is visited in two rounds, and in more while its
// samples have not converged, or its last two visits disagree, or somebody asks for it (revisit()), and
// there is time. What does not fit is put off to the end of the first round and, if there is no time
// then either, left out: the costliest first.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "core/result.h"

namespace rotor {

struct Unit {
  std::string variant;
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  std::vector<std::size_t> cases;  // of the plan
  double worth = 1;                // how many times its cost others may cost and still be left out
  double layers_weights = 0;       // of all matrices, where it is not one of n by k
};

struct Visit {
  std::size_t unit = 0;
  std::uint32_t round = 0;  // from 1
  double slice_s = 0;       // time for the samples of each of its cases
};

// What a visit took.
struct VisitCost {
  double overhead_s = 0;  // filling buffers, checking: everything but samples
  double launch_s = 0;    // one launch
  bool converged = false;
  bool passed = true;  // a unit that failed is not visited again
};

class Pace {
 public:
  static constexpr std::uint32_t kUsualRounds = 2;
  static constexpr std::uint32_t kMaxRounds = 6;
  static constexpr std::uint32_t kMostVisits = 12;  // of a unit that is asked for again
  static constexpr double kMaxSlice = 0.5;          // seconds; longer visits tell no more

  Pace(std::vector<Unit> units, std::uint64_t seed);

  const std::vector<Unit>& units() const { return units_; }

  // The next visit with `remaining_s` left of the budget; nothing when all is done.
  std::optional<Visit> next(double remaining_s);
  // Once next() returned nothing: these units once more, in random order, but for those that failed or had
  // their share. Whether any is left.
  bool revisit(const std::vector<std::size_t>& units);
  void finished(const Visit& visit, const VisitCost& cost);

  // Units that were never visited for lack of time; complete once next() returned nothing.
  const std::vector<std::size_t>& left_out() const { return left_out_; }
  // Seconds that one visit of each of these would have taken, as far as is known.
  double left_out_cost() const;
  // Units that time allowed one visit only.
  std::size_t visited_once() const;
  // Seconds that the visits still planned will take, at most `remaining_s`.
  double estimate_left(double remaining_s) const;

 private:
  // What a visit of some unit took.
  struct Seen {
    std::uint32_t m = 0;
    double weights = 0;
    double overhead_s = 0;
    double launch_s = 0;
  };

  // At least, as far as is known: overhead, warm-up and the fewest samples.
  double estimate_cost(const Unit& unit) const;
  double least_cost_left() const;  // of the visits left in this round and, in the first, the second
  std::size_t visits_left() const;
  double price(std::size_t unit) const { return least_cost_[unit] / units_[unit].worth; }
  bool fits(std::size_t unit, double remaining_s) const;
  void start_round(double remaining_s);
  double slice(double remaining_s) const;
  std::vector<std::size_t> shuffled(const std::vector<std::size_t>& units);

  std::vector<Unit> units_;
  Random random_;
  std::map<std::string, std::vector<Seen>> seen_;  // by variant
  std::vector<double> least_cost_;                 // [units] seconds of one visit
  std::uint32_t round_ = 0;
  std::vector<std::size_t> queue_;     // of this round, next one last
  std::vector<std::size_t> deferred_;  // to the end of the first round
  bool draining_ = false;              // the deferred ones are what is left of the round
  std::vector<std::size_t> left_out_;
  std::vector<std::uint32_t> visits_;  // [units]
  std::vector<double> launch_s_;       // [units] of the last visit, 0 before
  std::vector<bool> done_;             // [units] converged and agreed, or failed
  std::vector<bool> failed_;           // [units]
};

}  // namespace rotor
