// A visit of a case with all layers of a small model, on the CPU: what GPUs do with a large one.
#include "bench/visit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/cases.h"
#include "reports/report.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

CaseResult small_layers(const KernelVariant& variant) {
  CaseResult planned;
  Case& spec = planned.spec;
  spec = {"", "layers", "cpu", "layers_f16_portable", 1, 64, 64, false, 5};
  spec.layers = LayersShape{2, 64, 2, 1, 32, 9};
  spec.id = layers_case_id(variant, spec.k, *spec.layers);
  planned.device = "cpu:0";
  return planned;
}

TEST(Visitor, AllLayersAreCheckedAndTimed) {
  const auto cpu = open_cpu({.threads = 1});
  const KernelVariant& row = *find_variant("cpu/layers_f16_portable");
  const CaseResult planned = small_layers(row);
  EXPECT_EQ(planned.spec.id, "cpu/layers_f16_portable/l2_h64_f64_q2_kv1_d32_p9");
  ReferenceCache references;
  std::vector<std::string> phases;
  Visitor visitor(*cpu, references,
                  {.phase = [&](const char* phase) { phases.emplace_back(phase); }});
  SamplingRules rules;
  rules.time_s = 0.02;
  const CaseResult result = visitor.visit(row, planned, &rules, steady_seconds);
  EXPECT_TRUE(result.verdict.passed()) << result.verdict.message;
  EXPECT_TRUE(result.verdict.timed_output_verified);
  EXPECT_THAT(phases, testing::ElementsAre("fill", "check", "sample", "check_timed"));
  ASSERT_TRUE(result.measurement);
  EXPECT_TRUE(result.measurement->cold);
  EXPECT_GT(result.measurement->rotate_buffers, 1u);
  EXPECT_EQ(result.measurement->weight_bytes, layers_weight_bytes(planned.spec));
  EXPECT_GT(result.measurement->min_bytes, result.measurement->weight_bytes);
}

TEST(Visitor, SlicesOfAllLayers) {
  const auto cpu = open_cpu({.threads = 1});
  const KernelVariant& row = *find_variant("cpu/layers_f16_portable");
  ReferenceCache references;
  Visitor visitor(*cpu, references);
  visitor.begin(row, small_layers(row), steady_seconds);
  visitor.slice({}, steady_seconds);
  visitor.slice({}, steady_seconds);
  const CaseResult result = visitor.end(steady_seconds);
  EXPECT_TRUE(result.verdict.timed_output_verified) << result.verdict.message;
  ASSERT_TRUE(result.measurement);
  EXPECT_EQ(result.measurement->visits.size(), 2u);
}

}  // namespace
}  // namespace rotor
