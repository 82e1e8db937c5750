// Every row of the registry that this machine can run passes the battery.

#include <gtest/gtest.h>

#include "core/error.h"
#include "runtime/devices.h"
#include "verify/verify.h"

namespace rotor {
namespace {

constexpr std::uint64_t kSeed = 20261123;

class BatteryTest : public testing::TestWithParam<const KernelVariant*> {};

TEST_P(BatteryTest, RowPasses) {
  const KernelVariant& row = *GetParam();
  const auto device = open_cpu({});
  if ((row.needs & ~device->info().features) != 0) {
    GTEST_SKIP() << row.name << " needs " << feature_list(row.needs);
  }
  const Verdict verdict = check_battery(*device, row, kSeed);
  EXPECT_EQ(verdict.status, Status::Pass) << verdict.reason_code << ": " << verdict.message;
  EXPECT_EQ(verdict.mismatches, 0u);
  EXPECT_GT(verdict.checked, 1000u);
  EXPECT_FALSE(verdict.inputs.empty());
  EXPECT_TRUE(verdict.poison_cleared && verdict.guards_intact && verdict.inputs_unchanged &&
              verdict.repeat_bitwise_equal);
  EXPECT_FALSE(verdict.reference.empty());
  EXPECT_EQ(verdict.bound.empty(), verdict.criterion != Criterion::BoundedFloat);
}

std::vector<const KernelVariant*> cpu_rows() {
  std::vector<const KernelVariant*> rows;
  for (const KernelVariant& row : variants()) {
    if (row.backend == Backend::Cpu) rows.push_back(&row);
  }
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Registry, BatteryTest, testing::ValuesIn(cpu_rows()),
                         [](const auto& row) { return std::string(row.param->name.substr(4)); });

}  // namespace
}  // namespace rotor
