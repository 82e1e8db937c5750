#include "bench/pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

namespace rotor {
namespace {

constexpr std::pair<std::uint32_t, std::uint32_t> kShapes[] = {
    {640, 2560}, {2560, 2560}, {6912, 2560}, {2560, 6912}, {3840, 2560}, {13824, 2560},
    {64, 256},   {256, 256},   {768, 256},   {384, 256},   {1536, 256}};

std::vector<Unit> all_units(const std::vector<std::string>& kernels) {
  std::vector<Unit> units;
  std::size_t next = 0;
  for (const auto& [n, k] : kShapes) {
    for (const std::uint32_t m : {1u, 5u, 8u, 32u, 128u}) {
      for (const std::string& kernel : kernels) {
        units.push_back({kernel, m, n, k, {next++}});
        if (m == 1 || m == 128) units.back().cases.push_back(next++);
      }
    }
  }
  return units;
}

// A made-up machine: what a visit takes, and a clock that only visits advance.
struct Simulation {
  double seconds_per_mac = 0.25e-9;  // 4 G multiply-adds a second
  double fixed_overhead_s = 0.1;
  bool converges = true;
  double clock = 0;
  std::vector<Visit> visits;

  double launch_s(const Unit& unit) const {
    return 2e-6 + seconds_per_mac * unit.m * unit.n * unit.k;
  }
  VisitCost cost(const Unit& unit, double slice_s) {
    const double launch = launch_s(unit);
    const double sampling = std::max(5 * launch, slice_s) * static_cast<double>(unit.cases.size());
    const double overhead = fixed_overhead_s + 5 * launch;
    clock += overhead + sampling;
    return {overhead, launch, converges, true};
  }
  void run(Pace& pace, double budget_s) {
    while (const std::optional<Visit> visit = pace.next(budget_s - clock)) {
      visits.push_back(*visit);
      pace.finished(*visit, cost(pace.units()[visit->unit], visit->slice_s));
    }
  }
  std::size_t visits_of(std::size_t unit) const {
    return static_cast<std::size_t>(std::count_if(visits.begin(), visits.end(),
                                                  [&](const Visit& v) { return v.unit == unit; }));
  }
};

TEST(Pace, ElevenKernelsOnElevenShapesFitTenMinutesTwice) {
  Pace pace(all_units({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}), 1);
  Simulation machine;
  machine.fixed_overhead_s = 0.15;
  machine.seconds_per_mac = 0.05e-9;
  machine.run(pace, 600);
  EXPECT_LE(machine.clock, 600 * 1.02);
  EXPECT_TRUE(pace.left_out().empty());
  for (std::size_t unit = 0; unit < pace.units().size(); ++unit) {
    EXPECT_GE(machine.visits_of(unit), 2u);
  }
}

TEST(Pace, SlowKernelsLoseTheirSecondVisitBeforeAnythingIsLeftOut) {
  Pace pace(all_units({"a", "b", "c", "d"}), 1);
  Simulation machine;
  machine.run(pace, 400);
  EXPECT_LE(machine.clock, 400 * 1.1);
  EXPECT_TRUE(pace.left_out().empty());
  EXPECT_GT(pace.visited_once(), 0u);
  for (std::size_t unit = 0; unit < pace.units().size(); ++unit) {
    EXPECT_GE(machine.visits_of(unit), 1u);
    if (pace.units()[unit].m == 1) {
      EXPECT_GE(machine.visits_of(unit), 2u);
    }
  }
}

TEST(Pace, WhatDoesNotFitIsLeftOutTheCostliestFirst) {
  Pace pace(all_units({"a", "b"}), 1);
  Simulation machine;
  machine.seconds_per_mac = 0.5e-9;  // what Pace guesses before it has seen a kernel
  machine.run(pace, 60);
  EXPECT_LE(machine.clock, 60 * 1.2);
  ASSERT_FALSE(pace.left_out().empty());
  double dearest_done = 0;
  double cheapest_left = 1e9;
  const std::set<std::size_t> left(pace.left_out().begin(), pace.left_out().end());
  for (std::size_t unit = 0; unit < pace.units().size(); ++unit) {
    const double cost = machine.launch_s(pace.units()[unit]);
    EXPECT_EQ(machine.visits_of(unit) == 0, left.count(unit) == 1);
    if (left.count(unit) == 0) dearest_done = std::max(dearest_done, cost);
    if (left.count(unit) == 1) cheapest_left = std::min(cheapest_left, cost);
  }
  // Within a factor: estimates are taken from visits of other shapes and batches.
  EXPECT_LT(dearest_done, 2 * cheapest_left);
}

TEST(Pace, WhatIsWorthMoreIsLeftOutLater) {
  std::vector<Unit> units = all_units({"a", "b"});
  for (Unit& unit : units) unit.worth = unit.variant == "b" ? 100 : 1;
  Pace pace(std::move(units), 1);
  Simulation machine;
  machine.seconds_per_mac = 0.5e-9;
  machine.run(pace, 160);  // one kernel takes 110 s
  ASSERT_FALSE(pace.left_out().empty());
  for (const std::size_t unit : pace.left_out()) EXPECT_EQ(pace.units()[unit].variant, "a");
}

TEST(Pace, EachUnitOncePerRoundAndShapesTogether) {
  Pace pace(all_units({"a", "b"}), 1);
  Simulation machine;
  machine.run(pace, 1e6);
  std::set<std::pair<std::uint32_t, std::size_t>> seen;
  std::size_t changes = 0;
  for (std::size_t i = 0; i < machine.visits.size(); ++i) {
    EXPECT_TRUE(seen.insert({machine.visits[i].round, machine.visits[i].unit}).second);
    if (i == 0 || machine.visits[i].round != 1) continue;
    const Unit& here = pace.units()[machine.visits[i].unit];
    const Unit& before = pace.units()[machine.visits[i - 1].unit];
    changes += here.n != before.n || here.k != before.k;
  }
  EXPECT_EQ(changes, std::size(kShapes) - 1);
}

TEST(Pace, TheSeedDecidesTheOrderAndRoundsDiffer) {
  const auto order = [](std::uint64_t seed, std::uint32_t round) {
    Pace pace(all_units({"a", "b"}), seed);
    Simulation machine;
    machine.run(pace, 1e6);
    std::vector<std::size_t> units;
    for (const Visit& visit : machine.visits) {
      if (visit.round == round) units.push_back(visit.unit);
    }
    return units;
  };
  EXPECT_EQ(order(1, 1), order(1, 1));
  EXPECT_NE(order(1, 1), order(2, 1));
  EXPECT_NE(order(1, 1), order(1, 2));
}

TEST(Pace, ConvergedUnitsAreVisitedTwiceOthersAgainWhileThereIsTime) {
  for (const bool converges : {true, false}) {
    Pace pace(all_units({"a"}), 1);
    Simulation machine;
    machine.converges = converges;
    machine.run(pace, 1e6);
    for (std::size_t unit = 0; unit < pace.units().size(); ++unit) {
      EXPECT_EQ(machine.visits_of(unit), converges ? Pace::kUsualRounds : Pace::kMaxRounds);
    }
    for (const Visit& visit : machine.visits) EXPECT_DOUBLE_EQ(visit.slice_s, Pace::kMaxSlice);
  }
}

// A neighbour may be there for all of a visit: its samples agree with each other all the same.
TEST(Pace, UnitsWhoseVisitsDisagreeAreVisitedAgain) {
  Pace pace(all_units({"a"}), 1);
  const auto run = [&](std::size_t disturbed, std::uint32_t round) {
    std::vector<std::size_t> visits(pace.units().size());
    while (const std::optional<Visit> visit = pace.next(1e6)) {
      ++visits[visit->unit];
      const bool slow = visit->unit == disturbed && visit->round == round;
      pace.finished(*visit, {0.1, slow ? 1.1e-3 : 1e-3, true, true});
    }
    return visits;
  };
  const std::vector<std::size_t> visits = run(3, 2);
  for (std::size_t unit = 0; unit < visits.size(); ++unit) {
    EXPECT_EQ(visits[unit], unit == 3 ? 4u : 2u) << unit;
  }
}

TEST(Pace, AUnitThatFailedIsNotVisitedAgain) {
  Pace pace(all_units({"a"}), 1);
  std::set<std::size_t> seen;
  while (const std::optional<Visit> visit = pace.next(1e6)) {
    EXPECT_TRUE(seen.insert(visit->unit).second);
    pace.finished(*visit, {0.1, 0, true, false});
  }
  EXPECT_EQ(seen.size(), pace.units().size());
}

TEST(Pace, UnitsThatAreAskedForAreVisitedAgainWithinMeasure) {
  Pace pace(all_units({"a"}), 1);
  Simulation machine;
  machine.run(pace, 600);
  ASSERT_EQ(machine.visits_of(3), 2u);
  std::size_t asked = 0;
  while (pace.revisit({3, 4})) {
    ASSERT_LT(++asked, 100u);
    machine.run(pace, 10'000);
  }
  EXPECT_EQ(machine.visits_of(3), Pace::kMostVisits);
  EXPECT_EQ(machine.visits_of(4), Pace::kMostVisits);
  EXPECT_EQ(machine.visits_of(5), 2u);
}

TEST(Pace, UnitsThatAreAskedForWithoutTimeOrInVainAreNotVisited) {
  Pace pace(all_units({"a"}), 1);
  Simulation machine;
  machine.run(pace, 600);
  ASSERT_TRUE(pace.revisit({3}));
  EXPECT_FALSE(pace.next(1e-3));
  ASSERT_TRUE(pace.revisit({3}));
  const std::optional<Visit> visit = pace.next(100);
  ASSERT_TRUE(visit);
  pace.finished(*visit, {.passed = false});
  EXPECT_FALSE(pace.revisit({3}));
}

TEST(Pace, NothingToDoIsDoneAtOnce) {
  Pace pace({}, 1);
  EXPECT_FALSE(pace.next(100));
  Pace late(all_units({"a"}), 1);
  EXPECT_FALSE(late.next(0));
  EXPECT_EQ(late.left_out().size(), late.units().size());
  // With what it says to lack, each is visited.
  EXPECT_GT(late.left_out_cost(), 0);
  Pace enough(all_units({"a"}), 1);
  Simulation machine;
  machine.run(enough, late.left_out_cost());
  EXPECT_EQ(enough.left_out().size(), 0u);
  EXPECT_EQ(late.estimate_left(0), 0);
}

}  // namespace
}  // namespace rotor
