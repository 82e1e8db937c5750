// Verification finds every injected bug, with the status that fits, and only those.

#include "verify/mutants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/devices.h"
#include "verify/verify.h"

namespace rotor {
namespace {

constexpr std::uint64_t kSeed = 3;

TEST(MutantsTest, ThereAreTwentyWrongOnesAndFourThatMisuseMemoryOrChance) {
  EXPECT_EQ(matmul_mutants().size(), 24u);
}

// Three bugs show only in a batch.
TEST(MutantsTest, TrialOfASingleTokenFindsAllThatASingleTokenShows) {
  const auto cpu = open_cpu({});
  ReferenceCache references;
  const auto check = [&](const KernelVariant& variant) {
    const Case spec{.m = 1, .n = 200, .k = 1100, .seed = kSeed};
    return MatmulTrial(*cpu, variant, spec, 1, references).check();
  };
  const Verdict control = check(control_variant());
  EXPECT_EQ(control.status, Status::Pass) << control.message;
  for (const Mutant& mutant : matmul_mutants()) {
    const Verdict verdict = check(mutant_variant(mutant));
    EXPECT_EQ(verdict.status, mutant.needs_batch ? Status::Pass : mutant.expected)
        << mutant.name << ": " << verdict.message;
    EXPECT_EQ(verdict.message.empty(), mutant.needs_batch) << mutant.name;
    EXPECT_EQ(verdict.reason_code.empty(), mutant.needs_batch) << mutant.name;
  }
}

TEST(MutantsTest, BatteryAndTrialOfABatchFindAll) {
  const auto cpu = open_cpu({});
  const SelfTest result = run_kernel_self_test(*cpu, kSeed);
  EXPECT_EQ(result.mutants, matmul_mutants().size());
  EXPECT_EQ(result.caught, result.mutants);
  EXPECT_THAT(result.missed, testing::IsEmpty());
}

// On every device of GPU backends that is here, software ones included.
TEST(MutantsTest, GpuBatteriesFindAll) {
  for (const DeviceInfo& info : list_devices({}).devices) {
    if (info.backend == Backend::Cpu) continue;
    const auto device = open_device(info.id, {});
    const SelfTest result = run_gpu_self_test(*device, kSeed);
    EXPECT_EQ(result.mutants, 4u) << info.id;
    EXPECT_EQ(result.caught, result.mutants) << info.id;
    EXPECT_THAT(result.missed, testing::IsEmpty()) << info.id;
  }
}

}  // namespace
}  // namespace rotor
