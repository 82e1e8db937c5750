#include "model/inspect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "model/checkpoints.h"
#include "model/commands.h"
#include "model/test_files.h"

namespace rotor {
namespace {

using test::kDemo;
using testing::ElementsAre;
using testing::HasSubstr;
using Status = AcceptanceCheck::Status;

const AcceptanceCheck& check(const Inspection& found, const std::string& id) {
  return *std::ranges::find(found.checks, id, &AcceptanceCheck::id);
}

// The ids of the checks with this status.
std::vector<std::string> with_status(const Inspection& found, Status status) {
  std::vector<std::string> ids;
  for (const AcceptanceCheck& c : found.checks) {
    if (c.status == status) ids.push_back(c.id);
  }
  return ids;
}

TEST(Inspect, TheDemoModelIsAccepted) {
  std::vector<double> shares;
  const Inspection demo =
      inspect(kDemo, {.progress = [&](double share) { shares.push_back(share); }});
  EXPECT_EQ(demo.description, "safetensors, packed (offline)");
  EXPECT_TRUE(accepted(demo));
  EXPECT_THAT(with_status(demo, Status::Passed),
              ElementsAre("container", "shapes", "codes", "scales", "norms", "tokenizer"));
  EXPECT_THAT(with_status(demo, Status::NotRun), ElementsAre("logits", "greedy"));
  EXPECT_EQ(shares.size(), 8u * 7);
  EXPECT_EQ(shares.back(), 1);

  // 8 layers of q, o 256x256, k, v 64x256, gate, up 768x256, down 256x768.
  const std::uint64_t trits = 8 * (2 * 256 * 256 + 2 * 64 * 256 + 3 * 768 * 256);
  EXPECT_EQ(demo.scales.trits, trits);
  ASSERT_EQ(demo.types.size(), 2u);
  EXPECT_EQ(demo.types[0].type, "U8");
  EXPECT_EQ(demo.types[0].tensors, 56u);
  EXPECT_EQ(demo.types[0].bytes, trits / 4);
  EXPECT_EQ(demo.in_file.embedding, 2048u * 256 * 2);
  EXPECT_EQ(demo.in_file.head, 0u);
  EXPECT_EQ(demo.in_file.projections, trits / 4 + 56 * 2);  // codes and bf16 scales
  EXPECT_EQ(demo.in_file.total(), demo.types[0].bytes + demo.types[1].bytes);
  EXPECT_GT(demo.scales.smallest, 0);
  EXPECT_LT(demo.scales.smallest, demo.scales.median);
  EXPECT_LT(demo.scales.median, demo.scales.largest);
  EXPECT_GT(demo.scales.zero_share, 0);
  EXPECT_LT(demo.scales.zero_share, 1);
}

// The table of needs against what a session really allocates.
TEST(Inspect, MemoryIsWhatASessionTakes) {
  SessionOptions options;
  options.model = kDemo;
  options.device_options.threads = 1;
  Session session(options);
  const Inspection demo = inspect(kDemo, {});
  EXPECT_EQ(demo.in_memory.projections + demo.in_memory.norms,
            session.transformer().weight_bytes());
  EXPECT_EQ(demo.in_memory.embedding + demo.in_memory.head, session.transformer().table_bytes());
  for (const Packing format : {Packing::F32, Packing::F16, Packing::Int8Row}) {
    const KvCache cache(session.device(), session.config(), format, 100);
    EXPECT_EQ(kv_bytes_per_position(demo.config, format), cache.bytes_per_position());
  }
}

// The published numbers: 76,800 bytes per position in 16 bits, 38,400 in int8 without its scales.
TEST(Inspect, CacheBytesOf2b4tAreThePublishedOnes) {
  const Config config = open_checkpoint("synthetic:2b4t/1")->config();
  EXPECT_EQ(kv_bytes_per_position(config, Packing::F16), 76800u);
  EXPECT_EQ(kv_bytes_per_position(config, Packing::F32), 153600u);
  EXPECT_EQ(kv_bytes_per_position(config, Packing::Int8Row), 38400u + 30 * 2 * 5 * 4);
}

TEST(Inspect, GeneratedWeightsHaveNoFilesAndNoTokenizer) {
  const Inspection odd = inspect("synthetic:odd/1", {});
  EXPECT_TRUE(odd.types.empty());
  EXPECT_EQ(odd.in_file.total(), 0u);
  EXPECT_NEAR(odd.scales.zero_share, 1.0 / 3, 0.01);  // 5 M trits, three equally likely values
  EXPECT_THAT(with_status(odd, Status::NotRun),
              ElementsAre("container", "tokenizer", "logits", "greedy"));
  EXPECT_TRUE(accepted(odd));
}

TEST(Inspect, AFaultInsideIsAFailedCheckWithItsReason) {
  if (!test::has_numpy()) GTEST_SKIP() << "no numpy: make_bad_models.py cannot make the corpus";
  const test::TempFolder folder;
  ASSERT_EQ(test::run_script("make_bad_models.py", folder.path()), 0);
  const struct {
    const char* model;
    const char* failed;
    const char* words;
  } cases[] = {
      {"code_three", "codes", "a ternary code is 3"},
      {"infinite_gain", "norms", "a gain is not finite"},
      {"i2s_zero_scale.gguf", "scales", "is not finite and positive"},
  };
  for (const auto& [model, failed, words] : cases) {
    SCOPED_TRACE(model);
    const Inspection found = inspect(folder / model, {});
    EXPECT_THAT(with_status(found, Status::Failed), ElementsAre(failed));
    EXPECT_THAT(check(found, failed).detail, HasSubstr(words));
    std::ostringstream out;
    EXPECT_EQ(run_inspect({.model = folder / model}, out), kExitBadInput);
    EXPECT_THAT(out.str(), HasSubstr("✗"));
  }
  EXPECT_THROW(inspect(folder / "missing_tensor", {}), FormatError);
}

TEST(Inspect, JsonSaysTheSame) {
  std::ostringstream out;
  EXPECT_EQ(run_inspect({.model = kDemo, .context = 100, .json = true}, out), kExitOk);
  const auto json = nlohmann::json::parse(out.str());
  EXPECT_EQ(json["config"]["hidden"], 256);
  EXPECT_EQ(json["accepted"], true);
  EXPECT_EQ(json["checks"].size(), 8u);
  const auto& cache = json["kv"]["f16"];
  EXPECT_EQ(cache["bytes_per_position"], 2 * 8 * 2 * 32 * 2);
  EXPECT_EQ(cache["total_bytes"], json["bytes"]["memory"]["total"].get<std::uint64_t>() +
                                      100 * cache["bytes_per_position"].get<std::uint64_t>());
  EXPECT_THROW(run_inspect({.model = kDemo, .context = 1025}, out), UsageError);
}

}  // namespace
}  // namespace rotor
