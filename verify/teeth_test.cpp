// Bounds have teeth: a right kernel that is made wrong in one output, by little, is found. And what
// timing leaves behind is looked at.

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "runtime/devices.h"
#include "verify/verify.h"

namespace rotor {
namespace {

constexpr std::uint64_t kSeed = 11;

// The kernel that `disturbed` runs before it changes one output. One test at a time.
CpuKernel right_kernel = nullptr;
void (*disturb)(const CpuCall&) = nullptr;

void disturbed(const CpuCall& call) noexcept {
  right_kernel(call);
  if (call.begin == 0) disturb(call);
}

// A thousandth of one value.
template <std::size_t kBuffer>
void scale_first(const CpuCall& call) {
  call.buffer<float>(kBuffer)[0] *= 1.001f;
}
template <std::size_t kBuffer>
void next_code(const CpuCall& call) {
  std::int8_t& code = call.buffer<std::int8_t>(kBuffer)[0];
  code = static_cast<std::int8_t>(code > 0 ? code - 1 : code + 1);
}
template <std::size_t kBuffer>
void scale_scale(const CpuCall& call) {
  call.buffer<TokenScale>(kBuffer)[0].scale *= 1.001f;
}
template <std::size_t kBuffer>
void wrong_sum(const CpuCall& call) {
  call.buffer<TokenScale>(kBuffer)[0].sum += 1;
}
template <std::size_t kBuffer>
void dirty_padding(const CpuCall& call) {
  const auto& p = call.parameters<NormParams>();
  if (p.stride > p.k) call.buffer<std::int8_t>(kBuffer)[p.k] = 1;
}

struct Disturbance {
  const char* row;
  const char* what;
  void (*disturb)(const CpuCall&);
};

constexpr Disturbance kDisturbances[] = {
    {"cpu/matmul_half_portable", "out", scale_first<3>},
    {"cpu/matmul_dense_eigen", "out", scale_first<3>},
    {"cpu/embed_bf16_portable", "out", scale_first<2>},
    {"cpu/norm_quant_portable", "code", next_code<2>},
    {"cpu/norm_quant_portable", "padding", dirty_padding<2>},
    {"cpu/norm_quant_portable", "scale", scale_scale<3>},
    {"cpu/norm_quant_portable", "sum", wrong_sum<3>},
    {"cpu/add_norm_quant_portable", "residual", scale_first<0>},
    {"cpu/relu2_norm_quant_portable", "code", next_code<2>},
    {"cpu/relu2_norm_quant_portable", "scale", scale_scale<3>},
    {"cpu/add_norm_portable", "out", scale_first<3>},
    {"cpu/rope_f32_portable", "query", scale_first<0>},
    {"cpu/rope_f32_portable", "key", scale_first<3>},
    {"cpu/rope_f32_portable", "value", scale_first<4>},
    {"cpu/attention_f32_portable", "out", scale_first<4>},
    {"cpu/head_f32_portable", "out", scale_first<2>},
};

TEST(TeethTest, OneSlightlyWrongOutputIsFound) {
  const auto device = open_cpu({});
  for (const Disturbance& d : kDisturbances) {
    const KernelVariant* row = find_variant(d.row);
    ASSERT_NE(row, nullptr) << d.row;
    right_kernel = row->cpu;
    disturb = d.disturb;
    KernelVariant wrong = *row;
    wrong.cpu = disturbed;
    const Verdict verdict = check_battery(*device, wrong, kSeed);
    EXPECT_EQ(verdict.status, Status::FailVerify) << d.row << " " << d.what;
    EXPECT_EQ(verdict.reason_code, "wrong_values") << d.row << " " << d.what;
    EXPECT_GT(verdict.mismatches, 0u) << d.row << " " << d.what;
  }
}

// --- Timed trials -------------------------------------------------------------------------------

class TrialTest : public testing::Test {
 protected:
  std::unique_ptr<Device> device_ = open_cpu({});
  ReferenceCache references_;
  const KernelVariant& row_ = *find_variant("cpu/matmul_bitpacked_portable");
};

TEST_F(TrialTest, ChecksWhatTimedLaunchesLeft) {
  const Case spec{.m = 5, .n = 65, .k = 259, .seed = kSeed};
  MatmulTrial trial(*device_, row_, spec, 3, references_);
  Verdict verdict = trial.check();
  EXPECT_EQ(verdict.status, Status::Pass) << verdict.message;
  EXPECT_FALSE(verdict.timed_output_verified);
  // Two composites show seven kinds to five tokens at a time; then what is timed.
  ASSERT_EQ(verdict.inputs.size(), 3u);
  EXPECT_EQ(verdict.inputs.back().distribution, "llm_like");
  EXPECT_EQ(verdict.checked, 3u * 5 * 65);
  for (std::uint64_t i = 0; i < 4; ++i) trial.dispatch(i);
  trial.check_timed(verdict);
  EXPECT_EQ(verdict.status, Status::Pass) << verdict.message;
  EXPECT_TRUE(verdict.timed_output_verified);
  EXPECT_EQ(verdict.checked, 6u * 5 * 65);
  EXPECT_EQ(trial.macs(), 5u * 65 * 259);
  EXPECT_EQ(trial.weight_bytes(), packed_bytes(Packing::Bits2, 65, 259) + 65 * 4);
  EXPECT_EQ(trial.min_bytes(), trial.weight_bytes() + 5 * (320 + sizeof(TokenScale)) + 5 * 65 * 4);
}

TEST_F(TrialTest, NothingTimedIsNothingVerified) {
  MatmulTrial trial(*device_, row_, {.m = 1, .n = 17, .k = 64, .seed = kSeed}, 2, references_);
  Verdict verdict = trial.check();
  trial.check_timed(verdict);
  EXPECT_FALSE(verdict.timed_output_verified);
}

// Right while it is checked, wrong once it is timed.
TEST_F(TrialTest, FindsAKernelThatTurnsWrong) {
  static int launches;
  launches = 0;
  right_kernel = row_.cpu;
  disturb = [](const CpuCall& call) {
    if (++launches > 4) call.buffer<float>(4)[0] += 1;
  };
  KernelVariant turning = row_;
  turning.cpu = disturbed;
  MatmulTrial trial(*device_, turning, {.m = 7, .n = 17, .k = 64, .seed = kSeed}, 2, references_);
  Verdict verdict = trial.check();
  EXPECT_EQ(verdict.status, Status::Pass) << verdict.message;
  trial.dispatch(0);
  trial.check_timed(verdict);
  EXPECT_EQ(verdict.status, Status::FailVerify);
  EXPECT_EQ(verdict.reason_code, "wrong_values_timed");
  EXPECT_FALSE(verdict.timed_output_verified);
}

// Exact rows give one digest per shape and seed, whatever the kernel and the packing.
TEST_F(TrialTest, DigestsAreTheSameForAllExactRows) {
  const Case spec{.m = 8, .n = 200, .k = 515, .seed = kSeed};
  std::uint64_t inputs = 0;
  std::uint64_t outputs = 0;
  for (const KernelVariant& row : variants()) {
    if (row.backend != Backend::Cpu || row.op != Op::Matmul || row.batch == Batch::Single) continue;
    if ((row.needs & ~device_->info().features) != 0) continue;
    const Verdict verdict = MatmulTrial(*device_, row, spec, 1, references_).check();
    ASSERT_EQ(verdict.status, Status::Pass) << row.name << ": " << verdict.message;
    if (outputs == 0) outputs = verdict.output_digest;
    if (inputs == 0) inputs = verdict.inputs.front().digest;
    EXPECT_EQ(verdict.output_digest, outputs) << row.name;
    EXPECT_EQ(verdict.inputs.front().digest, inputs) << row.name;
  }
  EXPECT_NE(outputs, 0u);
}

TEST_F(TrialTest, EveryMatmulOpPassesATrial) {
  for (const char* name : {"cpu/matmul_half_portable", "cpu/matmul_dense_eigen"}) {
    for (const std::uint32_t m : {1u, 8u}) {
      MatmulTrial trial(*device_, *find_variant(name), {.m = m, .n = 200, .k = 515, .seed = kSeed},
                        2, references_);
      Verdict verdict = trial.check();
      trial.dispatch(0);
      trial.dispatch(1);
      trial.check_timed(verdict);
      EXPECT_EQ(verdict.status, Status::Pass) << name << ": " << verdict.message;
      EXPECT_EQ(verdict.criterion, Criterion::BoundedFloat);
      ASSERT_TRUE(verdict.max_over_bound.has_value());
      EXPECT_LT(*verdict.max_over_bound, 1);
    }
  }
}

}  // namespace
}  // namespace rotor
