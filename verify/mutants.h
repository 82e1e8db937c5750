// Matmul kernels with one bug each: what verification must find before it may be believed
// (measuring-and-verifying A.2).
#pragma once

#include <span>
#include <string_view>

#include "core/result.h"
#include "kernels/variant.h"

namespace rotor {

struct Mutant {
  std::string_view name;  // "lost_sign"
  CpuKernel kernel;
  Status expected;           // how checking it must end
  bool needs_batch = false;  // right for a single token
};

// The 20 wrong kernels of A.2, then those that misuse memory or chance.
std::span<const Mutant> matmul_mutants();

// The kernel without a bug: it must pass, or the mutants prove nothing.
KernelVariant control_variant();
KernelVariant mutant_variant(const Mutant& mutant);

}  // namespace rotor
