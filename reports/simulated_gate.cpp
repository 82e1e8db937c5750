#include "reports/simulated_gate.h"

#include <cmath>

namespace rotor {
namespace {

constexpr int kRounds = 10;
constexpr int kControls = 4;
constexpr int kTurns = 20;
constexpr double kKept = 0.9;   // of the drift, from slice to slice
constexpr double kTwice = 0.7;  // what a neighbour adds to a logarithm

double normal(Random& random) {
  double sum = -6;  // of twelve uniform numbers: a standard deviation of 1
  for (int i = 0; i < 12; ++i) sum += random.uniform();
  return sum;
}

// The 95 % interval of a median on skewed samples whose median is ln 2: 15 of them are covered by it in
// 96.5 % of the trials. More than twice as many misses as that leaves have a chance below 1e-6.
bool median_intervals_cover(Random& random) {
  int missed = 0;
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<double> x(15);
    for (double& v : x) v = -std::log(1 - random.uniform());
    const auto [low, high] = median_interval(x, 0.95);
    missed += std::log(2.0) < low || std::log(2.0) > high;
  }
  return missed <= 35;
}

// The 98 % interval of rounds lies above no change in 1 % of the cases: 5 of 500, and more than 20 with
// a chance below 1e-6.
bool round_intervals_cover(const SimulatedMachine& machine, Random& random) {
  int missed = 0;
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<double> d;
    for (int i = 0; i < kRounds; ++i) {
      const GateRound round = simulated_round(0, machine, false, random);
      d.push_back(round_shift(round.a_s, round.b_s));
    }
    missed += signed_rank_shift(d, 0.98).low > 0;
  }
  return missed <= 20;
}

// Of three cases, the second one slower.
Gate seeded_gate(double effect, const SimulatedMachine& machine, Random& random) {
  Gate gate;
  for (int i = 0; i < 3; ++i) {
    gate.cases.push_back(simulated_case("case", i == 1 ? effect : 0, machine, random, true));
  }
  judge(gate);
  return gate;
}

}  // namespace

std::span<const SimulatedMachine> simulated_machines() {
  static constexpr SimulatedMachine kMachines[] = {
      {"desktop", 0.004, 0.004, 0.006, 0},
      {"shared", 0.015, 0.03, 0.02, 0.1},
      {"throttling", 0.01, 0.08, 0.015, 0},
      {"crowded", 0.02, 0.05, 0.03, 0.5},
  };
  return kMachines;
}

GateRound simulated_round(double effect, const SimulatedMachine& machine, bool control,
                          Random& random) {
  GateRound round{.b_first = random.below(2) == 1};
  const double a = machine.process * normal(random);
  const double b = machine.process * normal(random) + std::log1p(effect);
  const double copy = machine.process * normal(random);
  double drift = machine.drift * normal(random);
  bool burst = random.uniform() < machine.burst;
  const auto slice = [&](double what) {
    drift = kKept * drift + machine.drift * std::sqrt(1 - kKept * kKept) * normal(random);
    if (random.uniform() < 0.1) burst = random.uniform() < machine.burst;
    return 100e-6 * std::exp(what + drift + machine.sample * normal(random) + (burst ? kTwice : 0));
  };
  for (int turn = 0; turn < kTurns; ++turn) {
    const bool b_first = (turn % 2 == 1) != round.b_first;
    if (b_first) round.b_s.push_back(slice(b));
    round.a_s.push_back(slice(a));
    if (control) round.control_s.push_back(slice(copy));
    if (!b_first) round.b_s.push_back(slice(b));
  }
  return round;
}

GateCase simulated_case(const std::string& id, double effect, const SimulatedMachine& machine,
                        Random& random, bool confirm) {
  GateCase c{.id = id};
  for (int r = 0; r < kRounds; ++r) {
    c.rounds.push_back(simulated_round(effect, machine, r < kControls, random));
  }
  for (int r = 0; confirm && r < 2 * kRounds; ++r) {
    c.confirming.push_back(simulated_round(effect, machine, false, random));
  }
  return c;
}

MutantCount run_gate_self_test(std::uint64_t seed) {
  constexpr int kSessions = 5;
  Random random(seed);
  MutantCount found;
  const auto expect = [&](bool right, const std::string& what) {
    if (!right) found.missed.push_back(what);
  };
  expect(median_intervals_cover(random), "intervals of medians miss too often");
  for (const SimulatedMachine& machine : simulated_machines()) {
    const std::string on = " on a machine like '" + std::string(machine.name) + "'";
    expect(round_intervals_cover(machine, random), "intervals of rounds miss too often" + on);
    for (int session = 0; session < kSessions; ++session) {
      expect(seeded_gate(0, machine, random).count(GateVerdict::Regressed) == 0,
             "a copy was called slower" + on);
      expect(seeded_gate(0.05, machine, random).cases[1].verdict != GateVerdict::Same,
             "5 % slower was called the same" + on);
      if (machine.burst >= 0.5) continue;  // too few quiet turns to promise more
      const Gate gate = seeded_gate(0.20, machine, random);
      ++found.mutants;
      const bool caught = gate.cases[1].verdict == GateVerdict::Regressed;
      found.caught += caught;
      expect(caught, "20 % slower was not found" + on);
      expect(gate.count(GateVerdict::Regressed) == (caught ? 1u : 0u),
             "the wrong case was named" + on);
    }
  }
  return found;
}

}  // namespace rotor
