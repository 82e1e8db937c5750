#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "reports/compare.h"
#include "reports/schema.h"
#include "reports/test_report.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// Two visits of six samples, all within a percent.
std::vector<double> steady(double seconds) {
  std::vector<double> samples;
  for (int i = 0; i < 12; ++i) samples.push_back(seconds * (1 + 0.001 * (i % 5)));
  return samples;
}

Report report_of(const std::vector<CaseResult>& results, std::uint64_t hw_key = 1) {
  RunStart start = run_start({});
  start.machine.hw_key = hw_key;
  start.plan = results;
  Journal journal("");
  journal.append(start);
  journal.append(run_end(0, "all is well"));
  return journal.report();
}

ReportComparison compare_reports(const Report& a, const Report& b) {
  return compare(a, "a.json", b, "b.json", CompareRules{});
}

void add_roofs(Report& report, double bytes_per_s, double ops_per_s) {
  report.roofs = {{"cpu:0", "read_bw", 1u << 28, "start", bytes_per_s, "bytes/s", {}, {}},
                  {"cpu:0", "int8_dot", {}, "start", ops_per_s, "ops/s", {}, {}},
                  {"cpu:0", "launch_latency", {}, "start", 1000, "ns", {}, {}}};
}

TEST(Compare, AReportAndItselfAreTheSameEverywhere) {
  // Noise does not matter, nor too few samples for an interval.
  const Report report = report_of({timed("matmul_fast", 1, {1e-4, 3e-4, 9e-4, 2e-4, 7e-4, 1e-4}),
                                   timed("matmul_slow", 1, {1e-3}), failed("matmul_wrong", 1)});
  const ReportComparison c = compare_reports(report, report);
  EXPECT_EQ(c.count(Change::Same), 2u);
  EXPECT_THAT(c.cases, SizeIs(2));
  EXPECT_DOUBLE_EQ(c.all.speedup, 1);
  EXPECT_THAT(c.winners, IsEmpty());
  EXPECT_EQ(c.lost(), 0u);
  EXPECT_EQ(c.wrong(), 1u);  // what was wrong in A is wrong in B
  EXPECT_EQ(exit_code(compare_reports(report_of({timed("matmul_slow", 1, {1e-3})}),
                                      report_of({timed("matmul_slow", 1, {1e-3})}))),
            kExitOk);
}

TEST(Compare, OnlyAWholeIntervalBeyondTheLeastEffectIsADifference) {
  struct Row {
    double b_s;
    Change change;
  };
  for (const Row& row :
       {Row{100e-6, Change::Same}, Row{103e-6, Change::Same}, Row{105e-6, Change::Unclear},
        Row{110e-6, Change::Slower}, Row{90e-6, Change::Faster}}) {
    // Another seed of noise, so that the two are not one measurement.
    std::vector<double> samples = steady(row.b_s);
    samples[3] *= 1.0001;
    const ReportComparison c = compare_reports(report_of({timed("matmul_fast", 1, steady(100e-6))}),
                                               report_of({timed("matmul_fast", 1, samples)}));
    EXPECT_EQ(c.cases.at(0).change, row.change) << row.b_s;
    EXPECT_LE(c.cases[0].low, c.cases[0].speedup);
    EXPECT_GE(c.cases[0].high, c.cases[0].speedup);
  }
}

// Visits that differ among themselves tell more of the uncertainty than the samples within each.
TEST(Compare, TheIntervalHoldsTheMedianOfEveryVisit) {
  std::vector<double> samples(20, 100e-6);
  samples[18] = samples[19] = 150e-6;
  Measurement m = measured(samples);
  m.visits = {18, 2};
  const auto range = median_range(m, 0.95);
  ASSERT_TRUE(range);
  EXPECT_DOUBLE_EQ(range->first, 100e-6);
  EXPECT_DOUBLE_EQ(range->second, 150e-6);
  EXPECT_FALSE(median_range(measured({1e-4, 1e-4, 1e-4}), 0.95));  // 3 samples cover 75 %
}

TEST(Compare, DroppedCasesFailCoverage) {
  const Report a =
      report_of({timed("matmul_fast", 1, steady(1e-4)), timed("matmul_slow", 1, steady(4e-4))});
  const ReportComparison dropped =
      compare_reports(a, report_of({timed("matmul_fast", 1, steady(1e-4))}));
  EXPECT_EQ(dropped.lost(), 1u);
  EXPECT_EQ(exit_code(dropped), kExitInfrastructure);
  EXPECT_THAT(console_text(document_of(dropped)), HasSubstr("coverage shrank: 1 check"));

  CaseResult skipped = planned("matmul_slow", 1);
  skipped.verdict = bad_verdict(Status::Unsupported, "no_avx2", "device lacks AVX2");
  const std::vector<CaseResult> less = {timed("matmul_fast", 1, steady(1e-4)), skipped};
  EXPECT_EQ(exit_code(compare_reports(a, report_of(less))), kExitInfrastructure);
  // Another machine may lack an instruction; that is listed and no failure.
  const ReportComparison elsewhere = compare_reports(a, report_of(less, 2));
  EXPECT_EQ(exit_code(elsewhere), kExitOk);
  EXPECT_THAT(elsewhere.outcomes, SizeIs(1));
  // New cases are none either.
  EXPECT_EQ(exit_code(compare_reports(report_of({timed("matmul_fast", 1, steady(1e-4))}), a)),
            kExitOk);
}

// Twice as fast because of twice the threads is not the merit of rotor's code.
TEST(Compare, WhatDevicesWereAllowedIsToldWhereItDiffers) {
  Report a = report_of({timed("matmul_fast", 1, steady(1e-4))});
  Report b = a;
  ASSERT_FALSE(a.devices.empty());
  a.devices[0].features["threads"] = "1";
  b.devices[0].features["threads"] = "2";
  b.devices[0].features["tuned"] = "4 products";
  const std::string text = console_text(document_of(compare_reports(a, b)));
  EXPECT_THAT(text, HasSubstr("threads: 1 in a.json, 2 in b.json"));
  EXPECT_THAT(text, HasSubstr("tuned: none in a.json, 4 products in b.json"));
  EXPECT_THAT(console_text(document_of(compare_reports(a, a))), Not(HasSubstr("threads:")));
  b.machine.hw_key = 2;  // another machine has other devices; that is told already
  EXPECT_THAT(console_text(document_of(compare_reports(a, b))), Not(HasSubstr("threads:")));
}

TEST(Compare, AWrongResultOutweighsEverything) {
  const ReportComparison c = compare_reports(report_of({timed("matmul_wrong", 1, steady(1e-4))}),
                                             report_of({failed("matmul_wrong", 1)}));
  EXPECT_EQ(c.wrong(), 1u);
  EXPECT_EQ(exit_code(c), kExitCheckFailed);
}

// Twice the bandwidth explains a memory-bound case that takes half the time: by hand, 1,638,400
// bytes take 81.92 and 40.96 us, and a launch 1 us.
TEST(Compare, RooflinesSayWhatTheHardwareExplains) {
  Report a = report_of({timed("matmul_fast", 1, steady(100e-6))}, 1);
  Report b = report_of({timed("matmul_fast", 1, steady(50e-6))}, 2);
  add_roofs(a, 20e9, 1e15);
  add_roofs(b, 40e9, 1e15);
  const ReportComparison c = compare_reports(a, b);
  ASSERT_THAT(c.cases, SizeIs(1));
  EXPECT_DOUBLE_EQ(c.cases[0].speedup, 2);
  EXPECT_NEAR(*c.cases[0].explained, 82.92 / 41.96, 1e-9);
  EXPECT_NEAR(*c.cases[0].share_a, 82.92 / 100.15, 1e-9);
  EXPECT_NEAR(*c.all.unexplained, 2 * 41.96 / 82.92, 1e-9);
  EXPECT_THAT(console_text(document_of(c)), HasSubstr("unexplained"));
  EXPECT_THAT(console_text(document_of(c)), HasSubstr("other hardware"));
}

TEST(Compare, WinnersThatDifferCostSomething) {
  const Report a =
      report_of({timed("matmul_x", 1, steady(1e-4)), timed("matmul_y", 1, steady(2e-4))});
  const Report b =
      report_of({timed("matmul_x", 1, steady(3e-4)), timed("matmul_y", 1, steady(2e-4))});
  const ReportComparison c = compare_reports(a, b);
  ASSERT_THAT(c.winners, SizeIs(1));
  EXPECT_EQ(c.winners[0].best_a, "cpu/matmul_x");
  EXPECT_EQ(c.winners[0].best_b, "cpu/matmul_y");
  EXPECT_DOUBLE_EQ(c.winners[0].loss_a, 2);
  EXPECT_DOUBLE_EQ(c.winners[0].loss_b, 1.5);
  EXPECT_DOUBLE_EQ(*c.ranking, -1);
  EXPECT_DOUBLE_EQ(c.all.speedup, std::sqrt(1.0 / 3));
}

TEST(Compare, LayersAreJoinedByPositionAndHaveNoWinner) {
  const Report a = report_of(
      {timed_layers("layers_f16", 4, steady(1e-3)), timed_layers("layers_f16", 2047, steady(2e-3)),
       timed_layers("layers_f32", 4, steady(3e-3)), timed("matmul_x", 1, steady(1e-4))});
  const Report b = report_of(
      {timed_layers("layers_f16", 2047, steady(4e-3)), timed_layers("layers_f16", 4, steady(4e-3)),
       timed_layers("layers_f32", 4, steady(3e-3)), timed("matmul_x", 1, steady(1e-4))});
  const ReportComparison c = compare_reports(a, b);
  ASSERT_THAT(c.cases, SizeIs(4));
  EXPECT_DOUBLE_EQ(c.cases[0].speedup, 0.25);
  EXPECT_DOUBLE_EQ(c.cases[1].speedup, 0.5);
  EXPECT_THAT(c.winners, IsEmpty());
}

TEST(Compare, DevicesAreJoinedByTheirIdElseByTheirBackend) {
  Report a = report_of({timed("matmul_fast", 1, steady(1e-4))});
  Report b = a;
  b.devices[0].id = "cpu:7";
  b.results[0].device = "cpu:7";
  EXPECT_THAT(compare_reports(a, b).cases, SizeIs(1));
}

TEST(Compare, EveryFormatHoldsEveryCase) {
  const Report a = sample_report();
  const ReportComparison c = compare_reports(a, report_of({timed("matmul_fast", 1, steady(2e-4))}));
  const std::string schema = load_file(ROTOR_SOURCE_DIR "/reports/comparison-1.schema.json");
  EXPECT_THAT(schema_violations(schema, comparison_json(c)), IsEmpty());
  EXPECT_THAT(schema_violations(schema, comparison_json(compare_reports(a, a))), IsEmpty());
  const Document document = document_of(c);
  for (const std::string& text : {console_text(document), markdown_text(document),
                                  html_text(document), comparison_csv(c), comparison_json(c)}) {
    EXPECT_THAT(text, HasSubstr("n2560"));
  }
  EXPECT_THAT(html_text(document), HasSubstr("Content-Security-Policy"));
  EXPECT_THAT(html_text(document), Not(HasSubstr("http://")));
  EXPECT_THAT(html_text(document), Not(HasSubstr("https://")));
}

TEST(Document, TextIsEscapedForEachFormat) {
  Document document;
  document.title = "<b> & |";
  TextTable table;
  table.title = "T";
  table.columns = {{"a,b"}, {"n", true}};
  table.rows = {{"x|y\"<z>", {"1.5 µs", 1.5e-6}}};
  document.tables = {table};
  EXPECT_THAT(html_text(document), HasSubstr("<td>x|y&quot;&lt;z&gt;</td>"));
  EXPECT_THAT(html_text(document), HasSubstr("data-v=\"1.5e-06\""));
  EXPECT_THAT(html_text(document), Not(HasSubstr("<b>")));
  EXPECT_THAT(markdown_text(document), HasSubstr("| x\\|y\"\\<z\\> | 1.5 µs |"));
  EXPECT_EQ(csv_text(table), "\"a,b\",n\r\n\"x|y\"\"<z>\",1.5e-06\r\n");
}

}  // namespace
}  // namespace rotor
