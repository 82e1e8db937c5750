#include "bench/cases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "core/error.h"
#include "model/session.h"
#include "reports/report.h"
#include "runtime/choose.h"

namespace rotor {
namespace {

DeviceInfo cpu(Features features) {
  DeviceInfo info;
  info.id = "cpu:0";
  info.features = features;
  return info;
}

Config two_billion() {
  return open_checkpoint(kUsualModel)->config();
}

std::size_t matmul_rows(Backend backend) {
  std::size_t count = 0;
  for (const KernelVariant& v : variants()) count += is_matmul(v.op) && v.backend == backend;
  return count;
}

TEST(Cases, EveryMatmulRowMeetsEveryShapeAndBatch) {
  const auto plan = plan_matmul(cpu(~Features{0}), standard_shapes(), Filter({}), 7, "rotor-bench");
  const std::size_t per_row =
      standard_shapes().size() * (std::size(kBatches) + std::size(kHotBatches));
  EXPECT_EQ(plan.size(), matmul_rows(Backend::Cpu) * per_row);
  std::set<std::string> ids;
  const std::regex schema_pattern("^[a-z0-9_]+(/[A-Za-z0-9_.:=+@-]+)+$");
  for (const PlannedCase& planned : plan) {
    const Case& spec = planned.result.spec;
    EXPECT_TRUE(ids.insert(spec.id).second) << spec.id;
    EXPECT_TRUE(std::regex_match(spec.id, schema_pattern)) << spec.id;
    EXPECT_EQ(spec.id, spec.backend + "/" + spec.variant + "/n" + std::to_string(spec.n) + "_k" +
                           std::to_string(spec.k) + "_b" + std::to_string(spec.m) +
                           (spec.hot ? "/hot" : ""));
    EXPECT_EQ(spec.seed, 7u);
    EXPECT_EQ(planned.result.repro, "rotor-bench --filter '^" + spec.id + "$'");
  }
}

TEST(Cases, OneVariantOfEachShapeAndBatchIsTheRuntimesChoice) {
  for (const Features features : {feature::Baseline, feature::Avx2, ~Features{0}}) {
    DeviceInfo device = cpu(features);
    std::map<std::string, int> chosen;
    for (const PlannedCase& planned : plan_matmul(device, standard_shapes(), Filter({}), 7, "")) {
      const Case& spec = planned.result.spec;
      chosen[spec.id.substr(spec.id.find("/n"))] += planned.result.chosen;
      EXPECT_EQ(planned.result.packing, packing_name(planned.variant->packing));
      if (!planned.result.chosen) continue;
      EXPECT_EQ(planned.variant, usual_matmul(device, spec.m, spec.n));
      EXPECT_EQ(planned.variant->packing, usual_matmul(device, 1, spec.n)->packing);
    }
    for (const auto& [place, count] : chosen) EXPECT_EQ(count, 1) << place;
  }
}

TEST(Cases, WideTilesAreForProductsThatFillAGpuWithThem) {
  DeviceInfo device;
  device.backend = Backend::Vulkan;
  device.features = ~Features{0};
  const auto tile = [&](std::uint32_t m, std::uint32_t n) {
    const KernelVariant* row = usual_matmul(device, m, n);
    return row == nullptr ? 0u : std::uint32_t{row->tile.tokens};
  };
  if (tile(1, 2560) == 0) GTEST_SKIP() << "built without Vulkan";
  EXPECT_EQ(tile(5, 13824), 32u);
  EXPECT_EQ(tile(32, 13824), 32u);
  EXPECT_EQ(tile(128, 640), 32u);
  EXPECT_EQ(tile(63, 13824), 32u);
  EXPECT_EQ(tile(64, 13824), 64u);
  EXPECT_EQ(tile(128, 2560), 64u);
  EXPECT_EQ(tile(512, 2560), 64u);
}

TEST(Cases, RowsThatTheDeviceCannotRunAreListedWithTheReason) {
  const auto plan = plan_matmul(cpu(feature::Baseline), standard_shapes(), Filter({}), 7, "");
  EXPECT_EQ(plan.size(),
            plan_matmul(cpu(~Features{0}), standard_shapes(), Filter({}), 7, "").size());
  for (const PlannedCase& planned : plan) {
    const Verdict& verdict = planned.result.verdict;
    const bool needs_more = planned.variant->needs != feature::Baseline;
    EXPECT_EQ(verdict.status, needs_more ? Status::Unsupported : Status::NotRun);
    EXPECT_FALSE(verdict.reason_code.empty());
    EXPECT_FALSE(verdict.message.empty());
    EXPECT_EQ(verdict.reason_code.starts_with("no_"), needs_more) << verdict.reason_code;
  }
}

TEST(Cases, AllLayersAtOnceAreCasesOfGpusOnly) {
  DeviceInfo gpu;
  gpu.id = "vulkan:0";
  gpu.backend = Backend::Vulkan;
  gpu.features = ~Features{0};
  const auto plan = plan_layers(gpu, two_billion(), Filter({}), 7, "rotor-bench");
  std::set<std::string> ids;
  const std::regex schema_pattern("^[a-z0-9_]+(/[A-Za-z0-9_.:=+@-]+)+$");
  std::size_t rows = 0;
  for (const KernelVariant& v : variants()) {
    if (v.backend != Backend::Vulkan) continue;
    rows += v.op == Op::Layers ? std::size(kLayersPositions) : v.op == Op::Products ? 1 : 0;
  }
  EXPECT_EQ(plan.size(), rows);
  for (const PlannedCase& planned : plan) {
    const Case& spec = planned.result.spec;
    EXPECT_TRUE(ids.insert(spec.id).second) << spec.id;
    EXPECT_TRUE(std::regex_match(spec.id, schema_pattern)) << spec.id;
    EXPECT_EQ(spec.id, layers_case_id(*planned.variant, spec.k, spec.layers.value()));
    EXPECT_EQ(spec.op, contract(planned.variant->op).name);
    EXPECT_EQ(spec.id.ends_with("_d128"), spec.op == "products") << spec.id;
    EXPECT_EQ(planned.result.verdict.status, Status::NotRun);
    EXPECT_EQ(planned.result.repro, "rotor-bench --filter '^" + spec.id + "$'");
  }
  EXPECT_TRUE(plan_layers(cpu(~Features{0}), two_billion(), Filter({}), 7, "").empty());
  EXPECT_TRUE(plan_layers(gpu, two_billion(), Filter({"matmul"}), 7, "").empty());
  for (const auto& [features, view_bytes, reason] :
       {std::tuple{Features{feature::Baseline}, std::size_t{1} << 40, "no_"},
        std::tuple{~Features{0}, std::size_t{1} << 27, "view_too_small"}}) {
    gpu.features = features;
    gpu.max_view_bytes = view_bytes;
    for (const PlannedCase& planned : plan_layers(gpu, two_billion(), Filter({}), 7, "")) {
      EXPECT_EQ(planned.result.verdict.status, Status::Unsupported);
      EXPECT_TRUE(planned.result.verdict.reason_code.starts_with(reason))
          << planned.result.verdict.reason_code;
    }
  }
}

TEST(Cases, FiltersCombine) {
  const std::string id = "cpu/matmul_bitpacked_avx2/n2560_k6912_b1";
  struct Row {
    std::vector<std::string> patterns;
    bool matches;
  };
  for (const Row& row : {Row{{}, true}, Row{{"avx2"}, true}, Row{{"avx2", "b1$"}, true},
                         Row{{"avx2", "b5"}, false}, Row{{"-avx2"}, false}, Row{{"-b5"}, true},
                         Row{{"n2560", "-avx512"}, true}, Row{{"^avx2"}, false}}) {
    EXPECT_EQ(Filter(row.patterns).matches(id), row.matches)
        << testing::PrintToString(row.patterns);
  }
  EXPECT_THROW(Filter({"("}), UsageError);
}

TEST(Cases, ShapesOfAModelIncludeTheFusedOnes) {
  const auto shapes = model_shapes(open_checkpoint(demo_model())->config());
  const auto has = [&](std::uint32_t n, std::uint32_t k) {
    return std::any_of(shapes.begin(), shapes.end(),
                       [&](const Shape& s) { return s.n == n && s.k == k; });
  };
  // hidden 256, ffn 768, 8 heads of 32, 2 kv heads
  for (const auto& [n, k] : {std::pair{64u, 256u},
                             {256u, 256u},
                             {768u, 256u},
                             {256u, 768u},
                             {384u, 256u},
                             {1536u, 256u}}) {
    EXPECT_TRUE(has(n, k)) << n << " x " << k;
  }
  EXPECT_EQ(shapes.size(), 6u);
}

TEST(Cases, ColdBuffersTogetherExceedTwiceTheCache) {
  constexpr std::size_t kCache = 32u << 20;
  for (const std::uint64_t bytes : {1ull, 16384ull, 1638400ull, 35389440ull, 141557760ull}) {
    EXPECT_GT(rotate_buffers(bytes, kCache) * bytes, 2 * kCache) << bytes;
    EXPECT_GT(rotate_buffers(bytes, 0) * bytes, 64u << 20) << bytes;
  }
}

}  // namespace
}  // namespace rotor
