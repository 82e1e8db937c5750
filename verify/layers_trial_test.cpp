// All layers of a small model through the trial that times those of a large one on GPUs.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels/layers_layout.h"
#include "runtime/devices.h"
#include "verify/verify.h"

namespace rotor {
namespace {

Case small_case(std::uint32_t position) {
  Case spec{.m = 1, .n = 128, .k = 128, .seed = 5};
  spec.layers = LayersShape{3, 192, 4, 2, 32, position};
  return spec;
}

Case small_products() {
  Case spec = small_case(0);
  spec.op = "products";
  return spec;
}

class LayersTrialTest : public testing::Test {
 protected:
  std::unique_ptr<Device> device_ = open_cpu({});
  ReferenceCache references_;
};

TEST_F(LayersTrialTest, EveryFormatIsCheckedBeforeAndAfterItIsTimed) {
  for (const char* name :
       {"cpu/layers_f32_portable", "cpu/layers_f16_portable", "cpu/layers_int8row_portable"}) {
    for (const std::uint32_t position : {0u, 4u, 70u}) {
      const KernelVariant& row = *find_variant(name);
      const Case spec = small_case(position);
      const std::unique_ptr<Trial> trial = make_trial(*device_, row, spec, 3, references_);
      Verdict verdict = trial->check();
      EXPECT_EQ(verdict.status, Status::Pass) << name << ": " << verdict.message;
      EXPECT_FALSE(verdict.timed_output_verified);
      ASSERT_EQ(verdict.inputs.size(), 1u);
      EXPECT_EQ(verdict.inputs.front().distribution, "llm_like");
      const std::uint64_t checked = verdict.checked;
      for (std::uint64_t i = 0; i < 4; ++i) trial->dispatch(i);
      trial->check_timed(verdict);
      EXPECT_EQ(verdict.status, Status::Pass) << name << ": " << verdict.message;
      EXPECT_TRUE(verdict.timed_output_verified);
      EXPECT_EQ(verdict.checked, 2 * checked);
      EXPECT_LT(verdict.max_over_bound.value(), 1);
      // q, k, v; output; gate, up, down; scores and their sums.
      EXPECT_EQ(trial->macs(),
                3u * (256 * 128 + 128 * 128 + 3 * 192 * 128 + 2 * (position + 1) * 128));
      EXPECT_EQ(trial->weight_bytes(), layers_weight_bytes(spec));
      EXPECT_EQ(trial->min_bytes(), trial->weight_bytes() +
                                        3 * 2 * 2 * (position + 1) * row_bytes(row.packing, 32) +
                                        2 * 128 * sizeof(float));
    }
  }
}

TEST_F(LayersTrialTest, LayersHaveWeightsOfTheirOwn) {
  const Case spec = small_case(4);
  const auto weights = references_.layers_weights(spec);
  const std::size_t layer = layer_parts(layers_params(spec)).end * std::size_t{kLayoutUnit};
  const auto of = [&](std::size_t i) { return std::span(*weights).subspan(i * layer, layer); };
  EXPECT_FALSE(std::ranges::equal(of(0), of(1)));
  EXPECT_FALSE(std::ranges::equal(of(1), of(2)));
  EXPECT_EQ(references_.layers_weights(small_case(70)), weights) << "made once for all positions";
  Case other = spec;
  other.seed = 6;
  EXPECT_NE(*references_.layers_weights(other), *weights);
}

TEST_F(LayersTrialTest, ProductsAreCheckedBeforeAndAfterTheyAreTimed) {
  const Case spec = small_products();
  const auto trial =
      make_trial(*device_, *find_variant("cpu/products_portable"), spec, 3, references_);
  Verdict verdict = trial->check();
  EXPECT_EQ(verdict.status, Status::Pass) << verdict.message;
  EXPECT_EQ(verdict.criterion, Criterion::ExactInt);
  const std::uint64_t checked = verdict.checked;
  for (std::uint64_t i = 0; i < 4; ++i) trial->dispatch(i);
  trial->check_timed(verdict);
  EXPECT_EQ(verdict.status, Status::Pass) << verdict.message;
  EXPECT_TRUE(verdict.timed_output_verified);
  EXPECT_EQ(verdict.checked, 2 * checked);
  EXPECT_EQ(trial->macs(), 3u * (256 * 128 + 128 * 128 + 3 * 192 * 128));
  EXPECT_EQ(trial->weight_bytes(), layers_weight_bytes(spec));
  EXPECT_EQ(trial->min_bytes(), trial->weight_bytes() + 128 * (1 + sizeof(std::int32_t)));
  EXPECT_NE(*references_.layers_weights(small_case(0)), *references_.layers_weights(spec));
}

TEST_F(LayersTrialTest, NothingTimedIsNothingVerified) {
  const auto trial =
      make_trial(*device_, *find_variant("cpu/layers_f32_portable"), small_case(4), 2, references_);
  Verdict verdict = trial->check();
  trial->check_timed(verdict);
  EXPECT_FALSE(verdict.timed_output_verified);
}

// What a kernel may do wrong once it is timed: the value in the middle of a layer, the last one, a row of
// the cache, a word behind, an input.
CpuKernel right_kernel;
void (*disturb)(const CpuCall&);
int launches;
void disturbed(const CpuCall& call) noexcept {
  right_kernel(call);
  if (++launches > 2) disturb(call);
}

struct WrongTurn {
  const char* what;
  void (*disturb)(const CpuCall&);
  Status status;
};

void expect_found(Device& device, ReferenceCache& references, const char* variant, const Case& spec,
                  const WrongTurn& turn) {
  KernelVariant turning = *find_variant(variant);
  right_kernel = turning.cpu;
  disturb = turn.disturb;
  launches = 0;
  turning.cpu = disturbed;
  const auto trial = make_trial(device, turning, spec, 2, references);
  Verdict verdict = trial->check();
  EXPECT_EQ(verdict.status, Status::Pass) << turn.what << ": " << verdict.message;
  trial->dispatch(0);
  trial->check_timed(verdict);
  EXPECT_EQ(verdict.status, turn.status) << turn.what << ": " << verdict.message;
  EXPECT_FALSE(verdict.timed_output_verified) << turn.what;
}

TEST_F(LayersTrialTest, FindsLayersThatTurnWrong) {
  static const std::size_t kMiddle = [] {
    const LayersParams p = layers_params(small_case(4));
    return (work_parts(p).traces + trace_parts(p).end + trace_parts(p).middle) * kLayoutUnit / 4;
  }();
  for (const WrongTurn& turn : {
           WrongTurn{"middle of the second layer",
                     [](const CpuCall& c) { c.buffer<float>(5)[kMiddle] += 1; },
                     Status::FailVerify},
           WrongTurn{"last norm", [](const CpuCall& c) { c.buffer<float>(6)[127] += 1; },
                     Status::FailVerify},
           WrongTurn{"a row of the cache", [](const CpuCall& c) { c.buffer<float>(3)[7] += 1; },
                     Status::FailVerify},
           WrongTurn{"meeting", [](const CpuCall& c) { c.buffer<std::uint32_t>(5)[1] = 1; },
                     Status::FailVerify},
           WrongTurn{"behind the last norm", [](const CpuCall& c) { c.buffer<float>(6)[128] = 0; },
                     Status::FailGuard},
           WrongTurn{"an input", [](const CpuCall& c) { c.buffer<float>(4)[0] += 1; },
                     Status::FailGuard},
       }) {
    expect_found(*device_, references_, "cpu/layers_f32_portable", small_case(4), turn);
  }
}

// A row of the first matrix is all -1.
void run_with_another_row(const CpuCall& call) {
  std::vector<std::byte> weights(call.buffers[0],
                                 call.buffers[0] + layers_weight_bytes(small_products()));
  std::fill_n(weights.begin(), 128 / 4, std::byte{0});
  std::byte* const buffers[] = {weights.data(), call.buffers[1], call.buffers[2], call.buffers[3]};
  CpuCall other = call;
  other.buffers = buffers;
  right_kernel(other);
}

TEST_F(LayersTrialTest, FindsProductsThatTurnWrong) {
  for (const WrongTurn& turn : {
           WrongTurn{"a row of the first product", run_with_another_row, Status::FailVerify},
           WrongTurn{"last sum", [](const CpuCall& c) { c.buffer<std::int32_t>(3)[127] += 1; },
                     Status::FailVerify},
           WrongTurn{"meeting", [](const CpuCall& c) { c.buffer<std::uint32_t>(2)[1] = 1; },
                     Status::FailVerify},
           WrongTurn{"behind the sums",
                     [](const CpuCall& c) { c.buffer<std::int32_t>(3)[128] = 0; },
                     Status::FailGuard},
           WrongTurn{"an input", [](const CpuCall& c) { c.buffer<std::int8_t>(1)[0] ^= 1; },
                     Status::FailGuard},
       }) {
    expect_found(*device_, references_, "cpu/products_portable", small_products(), turn);
  }
}

}  // namespace
}  // namespace rotor
