// What was asked for and cannot be done, or not as asked: the program says so, and its exit code does.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/test_program.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class RequestsTest : public testing::Test, protected ProgramFolder {
 protected:
  RequestsTest()
      : ProgramFolder(std::string(testing::TempDir()) + "rotor_requests_" +
                          testing::UnitTest::GetInstance()->current_test_info()->name(),
                      ROTOR_BENCH_PROGRAM, ROTOR_SOURCE_DIR "/reports/report-1.schema.json") {}
};

TEST_F(RequestsTest, AResultThatGoesNowhereIsAFailure) {
  for (const std::string& args :
       {std::string(kQuick), std::string("--help"), std::string("--list"),
        std::string("--list-variants"), std::string("--list-devices"),
        std::string(
            "--tune --device cpu --model synthetic:odd/1 --budget 2s --tune-file t.json")}) {
    const Outcome run = bench(args + " >/dev/full");
    EXPECT_EQ(run.code, 73) << args << '\n' << run.err;
    EXPECT_THAT(run.err, HasSubstr("could not be written to standard output")) << args;
  }
}

TEST_F(RequestsTest, NoFilterIsBlamedThatWasNotGiven) {
  const Outcome run = bench("--suite kv --device cpu --budget 1ms");
  EXPECT_EQ(run.code, 64) << run.err;
  EXPECT_THAT(run.out, HasSubstr("raise --budget"));
  EXPECT_THAT(run.out, Not(HasSubstr("--filter")));
}

// What is asked for is done, and what --help promises, too.
TEST_F(RequestsTest, LimitsAreMeasuredWhereTheyAreAskedForOrFit) {
  struct Row {
    const char* flags;
    bool measured;
  };
  for (const Row& row : {Row{"--roofline --budget 5s", true}, Row{"--budget 20s", true},
                         Row{"--budget 5s", false}, Row{"--no-roofline --budget 20s", false}}) {
    const Outcome run =
        bench("--filter 'bitpacked_portable/n64_k256_b1$' --device cpu --seed 1 --out r.json " +
              std::string(row.flags));
    EXPECT_EQ(run.code, 0) << row.flags << run.err;
    EXPECT_EQ(!read_json(load_file(folder_ / "r.json"), "r.json").roofs.empty(), row.measured)
        << row.flags;
  }
}

TEST_F(RequestsTest, ARecordThatCannotBeKeptIsToldBeforeTuning) {
  shell("touch file");
  const Outcome run =
      shell("export XDG_CACHE_HOME=$PWD/file; unset ROTOR_TUNING; " ROTOR_BENCH_PROGRAM
            " --tune --device cpu --model synthetic:odd/1 --budget 10m");
  EXPECT_EQ(run.code, 73) << run.err;
  EXPECT_THAT(run.err, HasSubstr("--tune-file"));
  EXPECT_THAT(run.out, IsEmpty());
}

TEST_F(RequestsTest, ABudgetForNothingIsSaid) {
  const Outcome run =
      bench("--filter 'bitpacked_portable/n2560_k2560_b8$' --device cpu --budget 10ms");
  EXPECT_EQ(run.code, 64);
  EXPECT_THAT(run.out, HasSubstr("nothing fits into the budget: checks take "));
  EXPECT_THAT(run.out, HasSubstr("more than --budget: checks are never cut short"));
  const std::size_t at = run.out.find(", --budget ");
  ASSERT_NE(at, std::string::npos);
  const std::string budget =
      run.out.substr(at + 11, run.out.find_first_of("sm", at + 11) - at - 10);
  EXPECT_EQ(
      bench("--filter 'bitpacked_portable/n2560_k2560_b8$' --device cpu --budget " + budget).code,
      0)
      << budget;
}

TEST_F(RequestsTest, EachCommandHasAHelpOfItsOwn) {
  const Outcome whole = bench("--help");
  EXPECT_EQ(whole.code, 0);
  EXPECT_THAT(whole.out, HasSubstr("Usage: rotor-bench [OPTIONS]"));
  EXPECT_THAT(whole.out, HasSubstr("Exit codes:"));
  for (const char* command : {"show", "project"}) {
    const Outcome help = bench(std::string(command) + " --help");
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.out, HasSubstr(std::string("rotor-bench ") + command));
    EXPECT_THAT(help.out, Not(HasSubstr("Checks every kernel variant"))) << command;
  }
  EXPECT_THAT(bench("compare --help").out, HasSubstr("Times change no exit code"));
}

// A label of the machine in the report of somebody else.
TEST_F(RequestsTest, AReportDoesNotSteerTheTerminal) {
  ASSERT_EQ(bench(std::string(kQuick) + "--no-roofline --out a.json").code, 0);
  nlohmann::json report = nlohmann::json::parse(load_file(folder_ / "a.json"));
  report["machine"]["label"] = "\x1b[31mlab";
  save_file(folder_ / "a.json", report.dump());
  for (const char* command : {"show a.json", "compare a.json a.json", "project a.json"}) {
    const Outcome run = bench(command);
    EXPECT_THAT(run.out, Not(HasSubstr("\x1b"))) << command;
  }
  EXPECT_THAT(bench("show a.json").out, HasSubstr("\uFFFD[31m"));
}

// A gate runs other programs. What they refuse is not their failure.
TEST_F(RequestsTest, AGatePassesOnWhatItsProgramsRefuse) {
  const std::string gate = std::string("gate ") + ROTOR_BENCH_PROGRAM + " ";
  for (const auto& [flags, code] :
       {std::pair("--filter nothing_is_named_so", 64), std::pair("--device no-such-device", 69),
        std::pair("--threads many", 64)}) {
    const Outcome run = bench(gate + flags);
    EXPECT_EQ(run.code, code) << run.err;
    EXPECT_THAT(run.err, Not(HasSubstr("left no report"))) << flags;
  }
  const Outcome other = bench("gate /bin/true");
  EXPECT_EQ(other.code, 4);
  EXPECT_THAT(other.err, HasSubstr("(exit 0); is it a rotor-bench?"));
}

TEST_F(RequestsTest, NothingThatWasAskedForIsIgnored) {
  struct Row {
    const char* args;
    int code;
    const char* message;
  };
  for (const Row& row : {
           Row{"--tune --out x.json", 64, "--tune does not go with --out"},
           Row{"--tune --verify-only", 64, "--tune does not go with --verify-only"},
           Row{"--device ''", 64, "names no device"},
           Row{"gate ./x --device ''", 64, "names no device"},
           Row{"--suite quality --model synthetic:odd/1", 69, "has no tokenizer"},
       }) {
    const Outcome run = bench(row.args);
    EXPECT_EQ(run.code, row.code) << row.args << '\n' << run.err;
    EXPECT_THAT(run.err, HasSubstr(row.message)) << row.args;
    EXPECT_THAT(run.out, IsEmpty()) << row.args;
  }
  for (const char* suite : {"kv", "model", "quality"}) {
    const Outcome list = bench(std::string("--list --suite ") + suite);
    EXPECT_EQ(list.code, 0);
    EXPECT_THAT(list.out, IsEmpty());
    EXPECT_THAT(list.err, HasSubstr("has no cases to list")) << suite;
  }
}

}  // namespace
}  // namespace rotor
