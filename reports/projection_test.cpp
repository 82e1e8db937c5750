#include "reports/projection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "reports/schema.h"
#include "reports/test_report.h"

namespace rotor {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> ids(const std::vector<LeftOutCase>& left_out) {
  std::vector<std::string> out;
  for (const LeftOutCase& c : left_out) out.push_back(c.case_id);
  return out;
}

CaseResult product(const std::string& variant, std::uint32_t n, std::uint32_t k, std::uint32_t m,
                   double seconds) {
  CaseResult r = timed(variant, m, {seconds, seconds, seconds});
  r.spec.n = n;
  r.spec.k = k;
  r.spec.id = "cpu/" + variant + "/n" + std::to_string(n) + "_k" + std::to_string(k) + "_b" +
              std::to_string(m);
  r.measurement->macs = std::uint64_t{n} * k * m;
  r.measurement->min_bytes = r.measurement->weight_bytes = std::uint64_t{n} * k / 4;
  return r;
}

// Memory of 20 GB/s limits single tokens, 1 TOP/s large batches; a launch costs nothing.
Report run_of(const std::vector<CaseResult>& results) {
  Report report = sample_report();
  report.results = results;
  report.roofs = {{"cpu:0", "read_bw", 1u << 28, "start", 20e9, "bytes/s", {}, {}},
                  {"cpu:0", "int8_dot", {}, "start", 1e12, "ops/s", {}, {}}};
  return report;
}

Projection onto(const Report& report, const std::string& target, const std::string& device = "") {
  return project(report, "mine.json", built_in_hardware(), {target}, device);
}

// By hand, for 6,553,600 trits of 2 bits. Here: 1,638,400 bytes at 20 GB/s are 81.92 us, half of what
// was measured. On the LCD Deck 88 GB/s x 0.85 and x 0.60 read them in 21.904 and 31.030 us; 0.75
// operations per trit take 6 to 9.6 us. On HD 615 three per trit at 201.6 and 163.2 G/s take 97.524 and
// 120.471 us, longer than reading (64.55 and 91.45 us).
TEST(Projection, TheShareOfTheLimitIsKept) {
  const Report report = run_of({product("matmul_x", 2560, 2560, 1, 163.84e-6)});
  const Projection deck = onto(report, "steam-deck-lcd");
  ASSERT_THAT(deck.targets, SizeIs(1));
  ASSERT_THAT(deck.targets[0].cases, SizeIs(1));
  const ProjectedCase& c = deck.targets[0].cases[0];
  EXPECT_NEAR(c.share, 0.5, 1e-9);
  EXPECT_NEAR(c.time.fast_s, 2 * 21.904e-6, 1e-9);
  EXPECT_NEAR(c.time.slow_s, 2 * 31.030e-6, 1e-9);
  EXPECT_EQ(c.time.limiter, "memory");
  EXPECT_EQ(c.measured_limiter, "memory");

  const ProjectedCase hd = onto(report, "hd615").targets[0].cases.at(0);
  EXPECT_NEAR(hd.time.fast_s, 2 * 97.524e-6, 1e-9);
  EXPECT_NEAR(hd.time.slow_s, 2 * 120.471e-6, 1e-9);
  EXPECT_EQ(hd.time.limiter, "compute");
  EXPECT_EQ(hd.measured_limiter, "memory");
}

// The ceilings are those of the specification, and shares of 1 come as close as reading does.
TEST(Projection, TokensFollowFromTheProductsOfALayer) {
  const ModelTraffic model = built_in_hardware().model;
  std::vector<CaseResult> results;
  for (const auto& p : model.products) {
    results.push_back(product("matmul_x", p.n, p.k, 1, 1.0 * p.n * p.k / 4 / 20e9 / 0.5));
  }
  const ProjectedTarget lcd = onto(run_of(results), "steam-deck-lcd").targets[0];
  ASSERT_TRUE(lcd.model_share);
  EXPECT_NEAR(*lcd.model_share, 0.5, 1e-9);
  const std::vector<double> ceilings = {74.6, 101.0, 103.3, 111.1, 124.4};
  ASSERT_THAT(lcd.tokens, SizeIs(ceilings.size()));
  for (std::size_t i = 0; i < ceilings.size(); ++i) {
    EXPECT_NEAR(lcd.tokens[i].ceiling_per_s, ceilings[i], 0.06) << lcd.tokens[i].head;
    EXPECT_NEAR(*lcd.tokens[i].fast_per_s, 0.5 * 0.85 * lcd.tokens[i].ceiling_per_s, 1e-6);
    EXPECT_NEAR(*lcd.tokens[i].slow_per_s, 0.5 * 0.60 * lcd.tokens[i].ceiling_per_s, 1e-6);
  }
  results.pop_back();
  const ProjectedTarget partial = onto(run_of(results), "steam-deck-lcd").targets[0];
  EXPECT_FALSE(partial.model_share);
  EXPECT_THAT(partial.lacking, ElementsAre("n2560_k6912"));
  EXPECT_FALSE(partial.tokens[0].fast_per_s);
}

// A kernel that the target cannot run well is not projected onto it, however fast it was; it is said
// why.
TEST(Projection, KernelsThatDoNotSuitAreLeftOut) {
  CaseResult bytes = product("matmul_int8", 2560, 2560, 1, 50e-6);
  bytes.measurement->weight_bytes *= 4;
  const CaseResult dot = product("matmul_dot", 2560, 2560, 1, 200e-6);
  const CaseResult coop = product("matmul_coop", 2560, 2560, 1, 100e-6);
  const Report report = run_of({bytes, product("matmul_x", 2560, 2560, 1, 400e-6), dot, coop});
  const Projection deck = onto(report, "steam-deck-oled");
  EXPECT_EQ(deck.targets[0].cases.at(0).spec.variant, "matmul_dot");
  EXPECT_THAT(ids(deck.targets[0].left_out), ElementsAre(coop.spec.id));
  EXPECT_THAT(ids(deck.left_out), ElementsAre(bytes.spec.id));
  const Projection hd = onto(report, "hd615");
  EXPECT_EQ(hd.targets[0].cases.at(0).spec.variant, "matmul_x");
  EXPECT_THAT(ids(hd.targets[0].left_out), ElementsAre(dot.spec.id, coop.spec.id));
  // Where no kernel suits, that is all there is to say.
  const ProjectedTarget none = onto(run_of({dot}), "hd615").targets[0];
  EXPECT_THAT(none.cases, IsEmpty());
  EXPECT_THAT(none.lacking, SizeIs(4));
}

TEST(Projection, AboveTheLimitCountsAsTheLimit) {
  const Report report = run_of({product("matmul_x", 2560, 2560, 1, 40e-6)});
  EXPECT_EQ(onto(report, "steam-deck-lcd").targets[0].cases.at(0).share, 1);
}

// A real GPU first, by its bandwidth alone; one that the CPU imitates only where asked for.
TEST(Projection, SaysWhoseSharesTheyAre) {
  Report report = run_of({product("matmul_x", 2560, 2560, 1, 163.84e-6)});
  for (const char* id : {"vulkan:0", "vulkan:1"}) {
    CaseResult r = product("matmul_g", 2560, 2560, 1, 32.768e-6);
    r.device = id;
    report.results.push_back(r);
    CaseResult batch = product("matmul_g", 2560, 2560, 128, 1e-3);
    batch.device = id;
    report.results.push_back(batch);
    DeviceFacts device;
    device.id = device.name = id;
    device.backend = "vulkan";
    device.kind = std::string(id) == "vulkan:0" ? "software" : "discrete";
    report.devices.push_back(device);
    report.roofs.push_back({id, "read_bw", 1u << 28, "start", 100e9, "bytes/s", {}, {}});
  }
  const Projection gpu = onto(report, "hd615");
  EXPECT_EQ(gpu.device.id, "vulkan:1");
  ASSERT_THAT(gpu.targets[0].cases, SizeIs(1));  // of batches nothing follows
  EXPECT_NEAR(gpu.targets[0].cases[0].share, 0.5, 1e-9);
  EXPECT_THAT(gpu.left_out.at(0).why, HasSubstr("no arithmetic rate"));
  EXPECT_THAT(gpu.assumptions.at(0), HasSubstr("read bandwidth alone"));
  EXPECT_THAT(onto(report, "hd615", "vulkan:0").assumptions.at(0), HasSubstr("imitates"));
  EXPECT_THAT(onto(report, "hd615", "cpu:0").assumptions.at(0), HasSubstr("is assumed"));
  EXPECT_THROW(onto(report, "hd615", "vulkan:7"), UsageError);
  // Where a launch takes longer than the reading, the time says nothing of reading.
  report.roofs.push_back({"vulkan:1", "launch_latency", {}, "start", 30e3, "ns", {}, {}});
  EXPECT_EQ(onto(report, "hd615").device.id, "cpu:0");
  EXPECT_THROW(onto(report, "hd615", "vulkan:1"), UsageError);
}

// Every case of the device is projected or listed with its reason, and none twice.
TEST(Projection, ListsWhatItLeavesOut) {
  const CaseResult base = product("matmul_x", 2560, 2560, 1, 163.84e-6);
  std::vector<CaseResult> results = {base, base, base, base, base, base};
  results[1].spec.hot = true;
  results[2].spec.op = "matmul_half";
  results[3].spec.op = "matmul_dense";
  results[4] = failed("matmul_wrong", 1);
  results[5].measurement.reset();
  for (std::size_t i = 1; i < results.size(); ++i) results[i].spec.id = "case " + std::to_string(i);
  const Projection p = onto(run_of(results), "hd615");
  EXPECT_THAT(p.targets[0].cases, SizeIs(1));
  const std::vector<const char*> whys = {"from a cache", "FP16", "no product with ternary weights",
                                         "no verified time: fail_verify", "not timed"};
  ASSERT_THAT(p.left_out, SizeIs(whys.size()));
  for (std::size_t i = 0; i < whys.size(); ++i) {
    EXPECT_EQ(p.left_out[i].case_id, results[i + 1].spec.id);
    EXPECT_THAT(p.left_out[i].why, HasSubstr(whys[i]));
  }
  for (const std::string& text : {projection_json(p), projection_csv(p),
                                  markdown_text(document_of(p)), console_text(document_of(p))}) {
    EXPECT_THAT(text, HasSubstr(", mismatch"));  // Markdown escapes the rest
  }
}

TEST(Projection, CountsReasonsTheMostFrequentFirst) {
  const auto counts = count_reasons({{"a", "rare"}, {"b", "often"}, {"c", "often"}});
  ASSERT_THAT(counts, SizeIs(2));
  EXPECT_EQ(counts[0].why, "often");
  EXPECT_EQ(counts[0].cases, 2u);
  EXPECT_EQ(counts[0].example, "b");
}

TEST(Projection, RefusesWhatCannotBeProjected) {
  const Report report = run_of({product("matmul_x", 2560, 2560, 1, 1e-4)});
  EXPECT_THROW(onto(report, "toaster"), UsageError);
  Report without_roofs = report;
  without_roofs.roofs.clear();
  try {
    onto(without_roofs, "hd615");
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("mine.json: none of its 1 case tells"));
    EXPECT_THAT(error.what(), HasSubstr("1: no read bandwidth measured on the device"));
  }
  EXPECT_THROW(onto(run_of({failed("matmul_wrong", 1)}), "hd615"), UsageError);
  const std::string yoga = ROTOR_SOURCE_DIR "/reports/reference/yoga-book.json";
  EXPECT_THROW(onto(read_json(load_file(yoga), yoga), "hd615"), UsageError);
}

TEST(Projection, EveryFormatSaysThatItIsOne) {
  const Projection p = project(run_of({product("matmul_x", 2560, 2560, 1, 163.84e-6)}), "mine.json",
                               built_in_hardware(), {}, "");
  ASSERT_THAT(p.targets, SizeIs(3));
  EXPECT_THAT(schema_violations(load_file(ROTOR_SOURCE_DIR "/reports/projection-1.schema.json"),
                                projection_json(p)),
              IsEmpty());
  const Document document = document_of(p);
  EXPECT_THAT(std::vector({console_text(document), markdown_text(document), html_text(document)}),
              Each(AllOf(HasSubstr("Projection, not a measurement"), HasSubstr("assumed: "),
                         HasSubstr("LPDDR5-5500"))));
  EXPECT_THAT(projection_csv(p), HasSubstr(kProjection));
  EXPECT_THAT(projection_json(p), AllOf(HasSubstr(kProjection), HasSubstr("assumptions")));
}

}  // namespace
}  // namespace rotor
