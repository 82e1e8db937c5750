#include "reports/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "reports/test_report.h"

namespace rotor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A folder of its own for each test, removed with it.
class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) / (std::string("rotor_") + test->name());
    std::filesystem::create_directories(folder_);
    path_ = folder_ / "run.jsonl";
  }
  ~JournalTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(JournalTest, AReportRebuiltIsTheReportThatWas) {
  Journal journal(path_);
  for (const Record& record : sample_records()) {
    journal.append(record);
    // At any moment, not only at the end.
    EXPECT_EQ(write_json(replay_journal(path_)), write_json(journal.report()));
  }
  EXPECT_TRUE(journal.report().run.complete);
}

TEST_F(JournalTest, ATornLastLineCostsOnlyItself) {
  {
    Journal journal(path_);
    for (const Record& record : sample_records()) journal.append(record);
  }
  const std::string whole = load_file(path_);
  const std::size_t last_line = whole.rfind('\n', whole.size() - 2) + 1;
  std::ofstream(path_, std::ios::trunc) << whole.substr(0, last_line + 17);
  const Report report = replay_journal(path_);
  EXPECT_FALSE(report.run.complete);
  EXPECT_EQ(report.results[0].measurement->visits, (std::vector<std::uint32_t>{3, 3}));
}

// Whoever reads only the exit code of the report must not take a run that was killed for a good one.
TEST_F(JournalTest, ARunThatWasCutOffFailed) {
  Journal journal(path_);
  journal.append(run_start({planned("matmul_fast", 1), planned("matmul_slow", 1)}));
  journal.append(timed("matmul_fast", 1, {1e-4}));
  const Report cut = replay_journal(path_);
  EXPECT_EQ(cut.summary.exit_code, kExitInfrastructure);
  EXPECT_THAT(cut.summary.exit_reason, HasSubstr("1 of 2 cases not reached"));
  EXPECT_THAT(closing_block(cut), HasSubstr("--resume"));
  journal.append(timed("matmul_slow", 1, {1e-4}));
  EXPECT_THAT(replay_journal(path_).summary.exit_reason, HasSubstr("cut off before its end"));
  journal.append(run_end(0, "all is well"));
  EXPECT_EQ(replay_journal(path_).summary.exit_code, kExitOk);
  journal.append(Event{1, "resumed", "", cut.run.id});  // and killed again
  EXPECT_EQ(replay_journal(path_).summary.exit_code, kExitInfrastructure);
  EXPECT_FALSE(replay_journal(path_).run.complete);
}

TEST_F(JournalTest, DamageAnywhereElseIsToldWithItsLine) {
  {
    Journal journal(path_);
    for (const Record& record : sample_records()) journal.append(record);
  }
  std::string text = load_file(path_);
  text[text.find('\n') + 5] = '\x01';
  std::ofstream(path_, std::ios::trunc) << text;
  try {
    replay_journal(path_);
    FAIL() << "accepted";
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr(path_ + ":2: not JSON"));
  }
}

TEST_F(JournalTest, WhatIsNoJournalIsRefused) {
  EXPECT_THROW(replay_journal(path_), FormatError);  // absent
  std::ofstream(path_) << "";
  EXPECT_THROW(replay_journal(path_), FormatError);
  std::ofstream(path_) << write_record(run_end(0, "")) << '\n';
  EXPECT_THROW(replay_journal(path_), FormatError);
}

TEST_F(JournalTest, AFullDiskIsAnOutputErrorAndTheReportGoesOn) {
  Journal journal("/dev/full");
  EXPECT_THROW(journal.append(run_start({planned("matmul_fast", 1)})), OutputError);
  journal.append(timed("matmul_fast", 1, {1e-3}));  // kept in memory from now on
  EXPECT_TRUE(journal.report().results[0].measurement.has_value());
}

TEST(MergeVisit, SamplesAndTheirOffsetsAreAppended) {
  CaseResult known = planned("matmul_fast", 1);
  CaseResult first = timed("matmul_fast", 1, {1e-3, 2e-3});
  CaseResult second = timed("matmul_fast", 1, {3e-3});
  first.start_s = 10;
  second.start_s = 70;
  second.end_s = 71;
  merge_visit(known, first);
  merge_visit(known, second);
  ASSERT_TRUE(known.measurement);
  EXPECT_THAT(known.measurement->samples_s, ElementsAre(1e-3, 2e-3, 3e-3));
  EXPECT_THAT(known.measurement->offsets_s, ElementsAre(0, 1e-3, 60));
  EXPECT_THAT(known.measurement->visits, ElementsAre(2, 1));
  EXPECT_DOUBLE_EQ(known.phases_s["sample"], 1.0);
  EXPECT_EQ(known.end_s, 71);
  EXPECT_FALSE(known.repro.empty());
}

TEST(MergeVisit, AFailureInAnyVisitTakesTheTimesAway) {
  for (const bool failure_first : {true, false}) {
    CaseResult known = planned("matmul_fast", 1);
    merge_visit(known, failure_first ? failed("matmul_fast", 1) : timed("matmul_fast", 1, {1e-3}));
    merge_visit(known, failure_first ? timed("matmul_fast", 1, {1e-3}) : failed("matmul_fast", 1));
    EXPECT_EQ(known.verdict.status, Status::FailVerify) << failure_first;
    EXPECT_FALSE(known.measurement) << failure_first;
  }
}

TEST_F(JournalTest, SavingReplacesTheFileWholeOrNotAtAll) {
  const std::string path = folder_ / "report.json";
  save_file(path, "old");
  save_file(path, "new");
  EXPECT_EQ(load_file(path), "new");
  EXPECT_THROW(save_file(folder_ / "absent" / "report.json", "x"), OutputError);
  EXPECT_THROW(check_writable(folder_ / "absent" / "report.json"), OutputError);
  EXPECT_THROW(check_writable(folder_), OutputError);
  EXPECT_THROW(check_writable(folder_ / std::string(300, 'x')),
               OutputError);  // not even a question
  check_writable(path);
  EXPECT_EQ(load_file(path), "new");  // trying leaves everything as it was
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST(Journal, AJournalThatWasCutOffGoesOn) {
  const std::string path = testing::TempDir() + "rotor_resume.jsonl";
  {
    Journal journal(path);
    journal.append(run_start({planned("matmul_fast", 1), planned("matmul_slow", 1)}));
    journal.append(timed("matmul_fast", 1, {1e-4}));
  }
  save_file(path, load_file(path) + "{\"record\": \"vis");  // the line that the power cut tore
  {
    Journal journal(path, Journal::Open::Resume);
    EXPECT_TRUE(journal.report().results[0].verdict.passed());
    journal.append(Event{1, "resumed", "", journal.report().run.id});
    journal.append(timed("matmul_slow", 1, {2e-4}));
    journal.append(run_end(0, "all is well"));
  }
  const Report report = replay_journal(path);
  EXPECT_TRUE(report.run.complete);
  EXPECT_EQ(report.run.resumed_from, report.run.id);
  EXPECT_EQ(report.results[0].measurement->samples_s.size(), 1u);
  EXPECT_TRUE(report.results[1].verdict.passed());
  EXPECT_THROW(Journal(testing::TempDir() + "absent.jsonl", Journal::Open::Resume), FormatError);
}

}  // namespace
}  // namespace rotor
