// Every row of the registry that this machine can run passes the battery.

#include <gtest/gtest.h>

#include <map>

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

// Ops whose arithmetic is fixed to the last bit (kernels/ops.h): all rows answer alike.
bool is_reproducible(Op op) {
  return op != Op::MatmulHalf && op != Op::MatmulDense && op != Op::Attention && op != Op::Head;
}

TEST(BatteryBitsTest, RowsOfAnOpGiveTheSameBits) {
  const auto device = open_cpu({.threads = 1});
  // Ternary weights are the same in every packing; rows of tables and caches are not.
  std::map<std::pair<Op, Packing>, Verdict> first;
  std::size_t compared = 0;
  for (const KernelVariant& row : variants()) {
    if (row.backend != Backend::Cpu || row.batch != Batch::Any || !is_reproducible(row.op))
      continue;
    if ((row.needs & ~device->info().features) != 0) continue;
    const Packing packing = row.op == Op::Matmul ? Packing::None : row.packing;
    const Verdict verdict = check_battery(*device, row, kSeed);
    const auto [found, fresh] = first.try_emplace({row.op, packing}, verdict);
    if (!fresh) ++compared;
    EXPECT_EQ(verdict.output_digest, found->second.output_digest) << row.name;
  }
  EXPECT_GT(compared, 0u);
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
