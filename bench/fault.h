// Faults for tests: with ROTOR_FAULT="KIND PHASE PATTERN" in the environment, every task whose case
// id (or row's name and "/battery") matches the pattern breaks at the beginning of that phase, as
// a bad kernel or driver would break it.
#pragma once

#include <string>

namespace rotor {

// KIND: "segv", "kill" (as by kill -9), "exit", "hang", or "lost" (throws what a lost device throws).
// Throws UsageError where the variable is set and makes no sense.
void inject_fault(const std::string& name, const std::string& phase);

}  // namespace rotor
