// Runs that do not come to their end as planned: cases that break, runs that are killed or
// interrupted, a full disk. What was finished is kept, and the rest goes on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>

#include "bench/test_program.h"
#include "reports/journal.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using testing::Not;

// A folder for each test.
class IsolationTest : public testing::Test, protected ProgramFolder {
 protected:
  IsolationTest()
      : ProgramFolder(std::string(testing::TempDir()) + "rotor_bench_" +
                          testing::UnitTest::GetInstance()->current_test_info()->name(),
                      ROTOR_BENCH_PROGRAM, ROTOR_SOURCE_DIR "/reports/report-1.schema.json") {}
};

// A limit on the size of files stands for a full disk.
TEST_F(IsolationTest, AFullDiskKeepsWhatWasWritten) {
  const Outcome run = shell("ulimit -f 8; " ROTOR_BENCH_PROGRAM " " + std::string(kQuick) +
                            "--device cpu --out r.json");
  EXPECT_EQ(run.code, 73) << run.err;
  EXPECT_THAT(run.err, HasSubstr("r.jsonl: cannot be written"));
  EXPECT_THAT(run.out, HasSubstr("exit 73"));
  const Report kept = replay_journal(folder_ / "r.jsonl");
  EXPECT_FALSE(kept.run.complete);
  EXPECT_EQ(kept.results.size(), 2u);
  EXPECT_EQ(schema_errors(write_json(kept)), "");
}

TEST_F(IsolationTest, AnInterruptKeepsWhatWasFinished) {
  const Outcome run = shell(ROTOR_BENCH_PROGRAM
                            " --filter portable --budget 600s --seed 1 --out r.json & p=$!; "
                            "while ! grep -q visit r.jsonl 2>/dev/null; do sleep 0.1; done; "
                            "kill -INT $p; wait $p");
  EXPECT_EQ(run.code, 130) << run.err;
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  const Report report = read_json(json, "r.json");
  EXPECT_FALSE(report.run.complete);
  EXPECT_EQ(report.summary.exit_code, 130);
  EXPECT_TRUE(std::any_of(report.results.begin(), report.results.end(),
                          [](const CaseResult& r) { return r.measurement.has_value(); }));
  EXPECT_TRUE(std::any_of(report.results.begin(), report.results.end(),
                          [](const CaseResult& r) { return r.verdict.status == Status::NotRun; }));
}

TEST_F(IsolationTest, ARunThatWasKilledGoesOn) {
  const std::string flags = std::string(kQuick) + "--device cpu --out r.json ";
  const Outcome killed = shell(ROTOR_BENCH_PROGRAM " " + flags +
                               "& p=$!; while ! grep -q visit r.jsonl 2>/dev/null; do sleep 0.02; "
                               "done; kill -KILL $p; wait $p");
  EXPECT_EQ(killed.code, 137);
  const std::size_t records = load_file(folder_ / "r.jsonl").size();
  const Outcome resumed = bench(flags + "--resume");
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  const Report report = read_json(json, "r.json");
  EXPECT_TRUE(report.run.complete);
  EXPECT_EQ(report.run.resumed_from, report.run.id);
  EXPECT_EQ(report.battery.size(), 1u);
  for (const CaseResult& r : report.results) EXPECT_TRUE(r.measurement) << r.spec.id;
  EXPECT_GT(load_file(folder_ / "r.jsonl").size(), records);
  EXPECT_EQ(bench("--filter n64_k256_b8 --device cpu --out r.json --resume").code, 64);
  EXPECT_EQ(bench("--device cpu --out absent.json --resume").code, 65);
}

// One case of three breaks: it alone is lost, its worker is begun anew, and the report is whole.
TEST_F(IsolationTest, ACaseThatBreaksCostsItselfOnly) {
  struct Row {
    const char* fault;
    Status status;
    const char* code;
  };
  for (const Row& row : {
           Row{"segv check b5$", Status::Crash, "signal_11"},
           Row{"kill sample b5$", Status::Crash, "signal_9"},
           Row{"exit fill b5$", Status::Crash, "worker_exited"},
           Row{"hang fill b5$", Status::Timeout, "prepare_timeout"},
           Row{"hang sample b8$", Status::Timeout, "run_timeout"},
           Row{"lost sample b5$", Status::DeviceLost, "device_lost"},
       }) {
    SCOPED_TRACE(row.fault);
    const Outcome run = shell("ROTOR_FAULT='" + std::string(row.fault) +
                              "' " ROTOR_BENCH_PROGRAM
                              " --device cpu --filter 'bitpacked_portable/n64_k256_b(1|5|8)$' "
                              "--prepare-timeout 5s --run-timeout 5s --no-roofline --out r.json");
    EXPECT_EQ(run.code, 4) << run.err;
    const std::string json = load_file(folder_ / "r.json");
    EXPECT_EQ(schema_errors(json), "");
    const Report report = read_json(json, "r.json");
    EXPECT_TRUE(report.run.complete);
    ASSERT_EQ(report.results.size(), 3u);
    const std::regex hit(std::string(row.fault).substr(std::string(row.fault).rfind(' ') + 1));
    for (const CaseResult& r : report.results) {
      const bool struck = std::regex_search(r.spec.id, hit);
      EXPECT_EQ(r.verdict.status, struck ? row.status : Status::Pass) << r.spec.id;
      EXPECT_EQ(r.verdict.reason_code, struck ? row.code : "") << r.spec.id;
      EXPECT_EQ(r.measurement.has_value(), !struck) << r.spec.id;
      if (!struck) continue;
      EXPECT_TRUE(std::any_of(report.events.begin(), report.events.end(), [&](const Event& e) {
        return e.kind == "worker_restart" && e.case_id == r.spec.id;
      })) << r.spec.id;
    }
  }
}

// A kernel that breaks on small shapes is not run on others; those of other kernels go on.
TEST_F(IsolationTest, AKernelThatBreaksCostsItselfOnly) {
  const Outcome run =
      shell("ROTOR_FAULT='segv check bitpacked_portable/battery' " ROTOR_BENCH_PROGRAM
            " --device cpu --no-roofline --out r.json "
            "--filter '(bitpacked|i2s|int8)_portable/n64_k256_b1$'");
  EXPECT_EQ(run.code, 4) << run.err;
  const Report report = read_json(load_file(folder_ / "r.json"), "r.json");
  ASSERT_GE(report.results.size(), 2u);
  for (const CaseResult& r : report.results) {
    const bool struck = r.spec.variant == "matmul_bitpacked_portable";
    EXPECT_EQ(r.verdict.status, struck ? Status::Crash : Status::Pass) << r.spec.id;
  }
}

// Nobody waits for ever on a device that hangs whatever it is given.
TEST_F(IsolationTest, ADeviceThatAlwaysHangsIsGivenUp) {
  const Outcome run = shell("ROTOR_FAULT='hang fill n64_k256' " ROTOR_BENCH_PROGRAM
                            " --device cpu --filter 'bitpacked_portable/n64_k256_b' "
                            "--prepare-timeout 3s --no-roofline --out r.json");
  EXPECT_EQ(run.code, 4) << run.err;
  const Report report = read_json(load_file(folder_ / "r.json"), "r.json");
  std::map<std::string, int> codes;
  for (const CaseResult& r : report.results) ++codes[r.verdict.reason_code];
  EXPECT_EQ(codes["prepare_timeout"], 3);
  EXPECT_EQ(codes["device_hangs"], static_cast<int>(report.results.size()) - 3);
}

// A failure that is known does not fail the run; an entry that is out of date is told.
TEST_F(IsolationTest, KnownIssuesAreWaivedOrTold) {
  struct Row {
    const char* fault;
    const char* expires;
    int code;
    Status status;      // of the case that the entry names
    const char* event;  // told
  };
  for (const Row& row : {
           Row{"segv check b5$", "2999-12-31", 0, Status::Waived, "worker_restart"},
           Row{"segv check b5$", "2020-01-01", 4, Status::Crash, "known_issue_expired"},
           Row{"segv check none", "2999-12-31", 0, Status::Pass, "known_issue_passed"},
           Row{"segv check none", "2020-01-01", 0, Status::Pass, "known_issue_expired"},
       }) {
    SCOPED_TRACE(std::string(row.fault) + ' ' + row.expires);
    save_file(folder_ / "known.json",
              R"({"format": {"name": "rotor.known_issues", "version": "1.0.0"}, "issues": [{)"
              R"("name": "five", "pattern": "_b5$", "device": "^cpu ", "statuses": ["crash"],)"
              R"("reason": "for this test", "expires": ")" +
                  std::string(row.expires) + R"("}]})");
    const Outcome run = shell("ROTOR_FAULT='" + std::string(row.fault) +
                              "' " ROTOR_BENCH_PROGRAM
                              " --known-issues known.json --verify-only --device cpu --out r.json "
                              "--filter 'bitpacked_portable/n64_k256_b(1|5)$'");
    EXPECT_EQ(run.code, row.code) << run.out << run.err;
    const std::string json = load_file(folder_ / "r.json");
    EXPECT_EQ(schema_errors(json), "");
    const Report report = read_json(json, "r.json");
    for (const CaseResult& r : report.results) {
      const bool named = r.spec.m == 5;
      EXPECT_EQ(r.verdict.status, named ? row.status : Status::Pass) << r.spec.id;
    }
    EXPECT_TRUE(std::any_of(report.events.begin(), report.events.end(), [&](const Event& e) {
      return e.kind == row.event;
    })) << run.out;
  }
  save_file(folder_ / "known.json", "{}");
  const Outcome bad = bench("--known-issues known.json --device cpu");
  EXPECT_EQ(bad.code, 65);
  EXPECT_THAT(bad.err, HasSubstr("known.json: is no list of known issues"));
}

TEST_F(IsolationTest, WithoutIsolationThereIsOneProcess) {
  const Outcome run = shell("ROTOR_FAULT='segv check b5$' " ROTOR_BENCH_PROGRAM
                            " --no-isolation --device cpu --no-roofline --out r.json "
                            "--filter 'bitpacked_portable/n64_k256_b(1|5|8)$'; exit $?");
  EXPECT_EQ(run.code, 139) << run.err;
  EXPECT_EQ(bench(std::string(kQuick) + "--no-isolation --device cpu --out r.json").code, 0);
  EXPECT_EQ(bench("--worker --device cpu").code, 64);
}

// Killed at once, with a worker that hangs: it goes, too, and the run can be resumed.
TEST_F(IsolationTest, NoWorkerOutlivesItsRun) {
  const std::string flags =
      " --device cpu --no-roofline --seed 3 --out r.json "
      "--filter 'bitpacked_portable/n64_k256_b(1|5)$' ";
  const Outcome killed = shell(
      "export ROTOR_FAULT='hang sample b5$'; " ROTOR_BENCH_PROGRAM + flags +
      "& p=$!; while ! grep -q '\"visit\"' r.jsonl 2>/dev/null && kill -0 $p; do sleep 0.02; done; "
      "w=$(cat /proc/$p/task/$p/children); sleep 0.3; kill -KILL $p; wait $p; sleep 0.3; "
      "for c in $w; do grep -q 'State:.[^Z]' /proc/$c/status 2>/dev/null && echo alive; done; "
      "true");
  EXPECT_THAT(killed.out, Not(HasSubstr("alive")));
  const Outcome resumed = bench(flags + "--resume");
  EXPECT_EQ(resumed.code, 0) << resumed.err;
  for (const CaseResult& r : read_json(load_file(folder_ / "r.json"), "r.json").results) {
    EXPECT_TRUE(r.verdict.passed()) << r.spec.id;
  }
}

}  // namespace
}  // namespace rotor
