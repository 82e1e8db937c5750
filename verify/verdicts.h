// How the findings of many launches become one verdict.
#pragma once

#include <span>
#include <string>

#include "core/result.h"
#include "kernels/ops.h"
#include "verify/launches.h"

namespace rotor {

// A verdict that passes until something is found, with the texts of the op's criterion.
Verdict start_verdict(Op op);

// Counts, worst elements and largest errors.
void add_comparison(Verdict& verdict, const Comparison& comparison);

// Takes a failure into the verdict if it is graver than what is there: guards and inputs before
// differing runs, before wrong values, before doubts.
void add_failure(Verdict& verdict, Status status, const std::string& code,
                 const std::string& message);

// Runs launches and judges them: check_battery on launches that are there already.
Verdict check_launches(Device& device, const KernelVariant& variant,
                       std::span<const Launch> launches);

}  // namespace rotor
