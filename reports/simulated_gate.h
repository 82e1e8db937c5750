// Gates of machines that are made up: what the statistics promise can be tried on them, in tests and in
// the self-test of the program, because the truth is known.
#pragma once

#include "core/random.h"
#include "reports/gate.h"
#include "reports/report.h"

namespace rotor {

// What a machine does to times: shares, as standard deviations of logarithms.
struct SimulatedMachine {
  std::string_view name;
  double process = 0.005;  // that a process keeps to its end
  double drift = 0;        // of an autoregression over slices, 0.9 of it left after each
  double sample = 0.005;
  double burst = 0;  // share of slices that a neighbour makes twice as slow, in runs of about ten
};

// A still desktop, a shared machine, one that throttles, and one whose neighbours take half of it.
std::span<const SimulatedMachine> simulated_machines();

// One round of a case that takes 100 us and that B makes slower by `effect`, as turns see it.
GateRound simulated_round(double effect, const SimulatedMachine& machine, bool control,
                          Random& random);
// Ten rounds, the first four with a control; and, to `confirm`, twenty more.
GateCase simulated_case(const std::string& id, double effect, const SimulatedMachine& machine,
                        Random& random, bool confirm);

// Tries whether intervals miss as rarely as they say, whether gates find seeded slow-downs and name the
// right case, and whether they leave alone what did not change. Counts the slow-downs; whatever else
// goes wrong is among those missed.
MutantCount run_gate_self_test(std::uint64_t seed);

}  // namespace rotor
