// Cache bugs that the KV test must find before it may be believed (measuring-and-verifying A.5).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kernels/variant.h"
#include "verify/kv_runner.h"

namespace rotor {

struct KvCanary {
  std::string_view name;
  std::optional<KernelVariant> kernel = std::nullopt;  // replaces the kernel of its op
  KvDisturbance disturb = nullptr;                     // or spoils cache memory
  bool writes_wrong_rows = false;                      // cache_rows must see it, too
};

// The eleven bugs of A.5.
std::vector<KvCanary> kv_canaries();
// Attention without a bug that sums in another order and precision: it must pass.
KvCanary kv_control();

// Modes lockstep and cache_rows with the bug in place; afterwards the kernels are as before.
std::vector<KvResult> run_canary(KernelSet& kernels, KvRunner& runner, const KvCanary& canary);

}  // namespace rotor
