// With the cache and without it: the same; and every cache bug is found.

#include "verify/kv_ab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "runtime/devices.h"
#include "verify/kv_canaries.h"

namespace rotor {
namespace {

constexpr std::uint64_t kSeed = 7;

void expect_equivalent(const Checkpoint& checkpoint, const std::string& name,
                       std::uint32_t positions) {
  const auto cpu = open_cpu({.threads = 1});
  std::size_t shown = 0;
  KvAbOptions options{.model = name, .seed = kSeed, .positions = positions};
  options.on_result = [&](const KvResult&) { ++shown; };
  const std::vector<KvResult> results = run_kv_ab(*cpu, checkpoint, options);
  EXPECT_EQ(shown, results.size());
  std::set<std::string> ids;
  std::set<std::string> modes;
  for (const KvResult& r : results) {
    EXPECT_EQ(r.status, Status::Pass) << r.id << ": " << r.message;
    EXPECT_TRUE(ids.insert(r.id).second) << r.id << " twice";
    modes.insert(r.mode);
    if (r.mode == "bitwise") {
      EXPECT_EQ(r.tokens_equal, r.positions) << r.id;
    }
  }
  EXPECT_THAT(modes, testing::ElementsAre("bitwise", "cache_rows", "end_to_end", "lockstep"));
}

TEST(KvAbTest, RandomUntiedModel) {
  expect_equivalent(*random_untied_model(kSeed), "random", 145);
}

TEST(KvAbTest, DemoModel) {
  expect_equivalent(*open_checkpoint(std::string(ROTOR_SOURCE_DIR) + "/model/demo"), "demo", 145);
}

// The model under test is fit for it: sharp attention, logits of the size of trained ones, and
// tokens that depend on more than the last one.
TEST(KvAbTest, RandomModelShowsWhatItAttendsTo) {
  const auto cpu = open_cpu({.threads = 1});
  KernelSet kernels(*cpu);
  const auto model = random_untied_model(kSeed);
  Transformer transformer(kernels, *model, {.chunk = 64, .progress = {}});
  KvCache cache(*cpu, model->config(), Packing::F32, 64);
  std::vector<std::uint32_t> tokens(64, 5);  // the same token everywhere
  for (std::size_t i = 0; i < 32; ++i) tokens[i] = static_cast<std::uint32_t>(i * 11);
  const auto logits = transformer.forward_all(tokens, cache);
  std::set<std::ptrdiff_t> answers;
  double squares = 0;
  for (std::size_t t = 32; t < 64; ++t) {
    const auto row = logits.subspan(t * 512, 512);
    answers.insert(std::max_element(row.begin(), row.end()) - row.begin());
    for (const float v : row) squares += double{v} * v;
  }
  EXPECT_GT(answers.size(), 1u);
  EXPECT_GT(squares / (32 * 512), 1);
  EXPECT_LT(squares / (32 * 512), 4);
}

TEST(KvAbTest, FindsAllElevenBugs) {
  const auto cpu = open_cpu({.threads = 1});
  const SelfTest result = run_kv_self_test(*cpu, kSeed);
  EXPECT_EQ(result.mutants, 11u);
  EXPECT_EQ(result.caught, 11u);
  EXPECT_THAT(result.missed, testing::IsEmpty());
}

// The mildest bug is far beyond the limit, and what it did is named.
TEST(KvAbTest, NamesLayerAndPositionOfADroppedWrite) {
  const auto cpu = open_cpu({.threads = 1});
  KernelSet kernels(*cpu);
  const auto model = random_untied_model(kSeed);
  KvRunner runner(kernels, *model, "random", kSeed, 72);
  const std::vector<KvResult> found = run_canary(kernels, runner, kv_canaries().front());
  EXPECT_GT(found[0].attn_max_rel.value_or(0), 1e-3);
  EXPECT_EQ(found[1].message, "layer 1 keys, position 31, kv head 0");
  // Two positions, keys and values, two kv heads.
  EXPECT_EQ(found[1].kv_rows_unequal, 8u);
}

TEST(KvAbTest, TimesTheSameTokenWithAndWithoutCache) {
  const auto cpu = open_cpu({.threads = 1});
  KernelSet kernels(*cpu);
  const auto model = random_untied_model(kSeed);
  Transformer transformer(kernels, *model, {.chunk = 16, .progress = {}});
  KvTimingTrial trial(*cpu, transformer, Packing::F32, 40, kSeed);
  const std::uint64_t first_bytes = trial.prepare(0).token_bytes;
  EXPECT_GT(first_bytes, transformer.weight_bytes());
  EXPECT_GT(transformer.token_macs(), 0u);
  for (const std::uint32_t position : {0u, 17u, 40u}) {
    const KvTiming known = trial.prepare(position);
    EXPECT_EQ(known.position, position);
    EXPECT_EQ(known.format, "f32");
    // Each position holds a key and a value of each layer and kv head.
    const Config& config = model->config();
    const std::size_t rows = std::size_t{position} * config.layers * 2 * config.kv_heads;
    EXPECT_EQ(known.token_bytes - first_bytes, rows * config.head_dim * sizeof(float));
    EXPECT_NE(find_variant(known.variant), nullptr);
    EXPECT_NE(find_variant(known.prompt_variant), nullptr);
    for (int repeat = 0; repeat < 2; ++repeat) {
      const auto with = trial.with_cache();
      const std::vector<float> logits(with.begin(), with.end());
      EXPECT_THAT(trial.without_cache(), testing::ElementsAreArray(logits)) << position;
    }
  }
}

}  // namespace
}  // namespace rotor
