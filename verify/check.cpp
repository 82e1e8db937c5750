#include <algorithm>

#include "core/random.h"
#include "verify/cases.h"
#include "verify/verdicts.h"
#include "verify/verify.h"

namespace rotor {
namespace {

// The input of `launch` as an entry of the verdict: one per distribution.
CheckedInput& input_entry(Verdict& verdict, const Launch& launch) {
  for (CheckedInput& input : verdict.inputs) {
    if (input.distribution == launch.distribution) return input;
  }
  return verdict.inputs.emplace_back(CheckedInput{launch.distribution, launch.seed, 0, 0});
}

// A token of a batch and the same token alone.
void compare_singles(std::span<const Launch> launches, std::vector<Outcome>& outcomes) {
  for (std::size_t i = 0; i < launches.size(); ++i) {
    if (!launches[i].row_of || outcomes[i].status != Status::Pass) continue;
    const RowOf& row = *launches[i].row_of;
    if (outcomes[i].row_digests[0] == outcomes[row.launch].row_digests[row.row]) continue;
    outcomes[i].status = Status::FailVerify;
    outcomes[i].reason_code = "batch_row_differs";
    outcomes[i].message = launches[i].distribution + " " + launches[i].shape + ": token " +
                          std::to_string(row.row) + " of a batch (" + launches[row.launch].shape +
                          ") gives other bits alone";
  }
}

}  // namespace

Verdict start_verdict(Op op) {
  const CriterionText text = criterion_of(op);
  Verdict verdict;
  verdict.status = Status::Pass;
  verdict.criterion = text.criterion;
  verdict.reference = text.reference;
  verdict.proof = text.proof;
  verdict.bound = text.bound;
  verdict.poison_cleared = true;
  verdict.guards_intact = true;
  verdict.inputs_unchanged = true;
  verdict.repeat_bitwise_equal = true;
  return verdict;
}

void add_comparison(Verdict& verdict, const Comparison& comparison) {
  Comparison sum;
  sum.first = verdict.first;
  sum.max_abs = verdict.max_abs;
  sum.max_over_bound = verdict.max_over_bound;
  sum.merge(comparison);
  verdict.first = sum.first;
  verdict.max_abs = sum.max_abs;
  verdict.max_over_bound = sum.max_over_bound;
  verdict.checked += comparison.checked;
  verdict.mismatches += comparison.mismatches;
}

void add_failure(Verdict& verdict, Status status, const std::string& code,
                 const std::string& message) {
  // Memory errors explain wrong values, and so does chance.
  const auto rank = [](Status s) {
    switch (s) {
      case Status::FailGuard:
        return 4;
      case Status::FailNondeterministic:
        return 3;
      case Status::FailVerify:
        return 2;
      case Status::SuspectNumeric:
        return 1;
      default:
        return 0;
    }
  };
  if (rank(status) <= rank(verdict.status)) return;
  verdict.status = status;
  verdict.reason_code = code;
  verdict.message = message;
}

Verdict check_battery(Device& device, const KernelVariant& variant, std::uint64_t seed) {
  return check_launches(device, variant, battery(variant, seed));
}

Verdict check_launches(Device& device, const KernelVariant& variant,
                       std::span<const Launch> launches) {
  const std::unique_ptr<Kernel> kernel = device.prepare(variant);
  std::vector<Outcome> outcomes = run_launches(device, *kernel, launches);
  compare_singles(launches, outcomes);
  Verdict verdict = start_verdict(variant.op);
  std::uint64_t flips = 0;
  for (std::size_t i = 0; i < launches.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    add_comparison(verdict, outcome.comparison);
    CheckedInput& input = input_entry(verdict, launches[i]);
    input.digest = mix(input.digest ^ launches[i].digest);
    input.mismatches += outcome.comparison.mismatches;
    flips += outcome.comparison.flips;
    verdict.poison_cleared &= outcome.poison_cleared;
    verdict.guards_intact &= outcome.guards_intact;
    verdict.inputs_unchanged &= outcome.inputs_unchanged;
    verdict.repeat_bitwise_equal &= outcome.repeat_equal;
    verdict.output_digest = mix(verdict.output_digest ^ outcome.output_digest);
    add_failure(verdict, outcome.status, outcome.reason_code, outcome.message);
  }
  if (flips != 0) {
    verdict.proof += "; " + std::to_string(flips) + " of " + std::to_string(verdict.checked) +
                     " codes lie next to a tie and were rounded the other way";
  }
  return verdict;
}

}  // namespace rotor
