// The program as a user meets it: exit codes, what is on which stream, and what is left on disk.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "bench/test_program.h"
#include "kernels/variant.h"
#include "reports/journal.h"
#include "reports/schema.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// A folder for each test.
class MainTest : public testing::Test, protected ProgramFolder {
 protected:
  MainTest()
      : ProgramFolder(std::string(testing::TempDir()) + "rotor_bench_" +
                          testing::UnitTest::GetInstance()->current_test_info()->name(),
                      ROTOR_BENCH_PROGRAM, ROTOR_SOURCE_DIR "/reports/report-1.schema.json") {}
};

TEST_F(MainTest, ARunLeavesAValidReportAndItsJournal) {
  const Outcome run = bench(std::string(kQuick) + "--out r.json --context site=lab");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("n 64 × k 256"));
  EXPECT_THAT(run.out, HasSubstr("exit 0"));
  EXPECT_THAT(run.err, HasSubstr("report: r.json"));
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  const Report report = read_json(json, "r.json");
  EXPECT_EQ(write_json(replay_journal(folder_ / "r.jsonl")), json);
  EXPECT_TRUE(report.run.complete);
  EXPECT_EQ(report.run.seed, 0x5eedu);
  EXPECT_EQ(report.run.context.at("site"), "lab");
  EXPECT_EQ(report.results.size(), 2u);
  for (const CaseResult& result : report.results) {
    EXPECT_TRUE(result.verdict.passed()) << result.spec.id;
    EXPECT_TRUE(result.verdict.timed_output_verified) << result.spec.id;
    ASSERT_TRUE(result.measurement) << result.spec.id;
    EXPECT_GE(result.measurement->visits.size(), 2u) << result.spec.id;
    EXPECT_GE(result.measurement->samples_s.size(), 6u) << result.spec.id;
  }
}

TEST_F(MainTest, TheReportGoesToStdoutAloneWhenAsked) {
  const Outcome run = bench(std::string(kQuick) + "--out -");
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(schema_errors(run.out), "");
  EXPECT_THAT(run.err, HasSubstr("Summary"));
}

TEST_F(MainTest, VerifyingTimesNothing) {
  const Outcome run = bench(std::string(kQuick) + "--verify-only --out r.json");
  EXPECT_EQ(run.code, 0) << run.err;
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  for (const CaseResult& result : read_json(json, "r.json").results) {
    EXPECT_TRUE(result.verdict.passed()) << result.spec.id;
    EXPECT_FALSE(result.measurement) << result.spec.id;
  }
}

TEST_F(MainTest, ARowIsRunByTheNameOfItsBattery) {
  const Outcome run = bench("--filter '^cpu/norm_quant_portable/battery$' --out r.json");
  EXPECT_EQ(run.code, 0) << run.err;
  const Report report = read_json(load_file(folder_ / "r.json"), "r.json");
  ASSERT_EQ(report.battery.size(), 1u);
  EXPECT_EQ(report.battery[0].variant, "cpu/norm_quant_portable");
  EXPECT_THAT(report.results, IsEmpty());
}

TEST_F(MainTest, BadRequestsEndWithOneLineAndTheirCode) {
  struct Row {
    const char* args;
    int code;
    const char* message;
  };
  for (const Row& row : {
           Row{"--fliter x", 64, "did you mean --filter?"},
           Row{"--suite everything", 64, "no suite 'everything'; there are all"},
           Row{"--filter nothing_is_named_so", 64, "nothing matches --filter"},
           Row{"--benchmark_filter=nothing_is_named_so", 64, "nothing matches --filter"},
           Row{"--benchmark_repetitions=3", 64, "--benchmark_repetitions"},
           Row{"--filter '('", 64, "not a regular expression"},
           Row{"--budget soon", 64, "--budget: 'soon' is not a time"},
           Row{"--features avx9000", 64, "avx9000"},
           Row{"--context novalue", 64, "KEY=VALUE"},
           Row{"--model absent", 65, "absent"},
           Row{"--suite quality --text absent", 65, "absent"},
           Row{"--device no-such-device", 69, "no-such-device"},
           Row{"--out absent/r.json", 73, "absent/r.json: cannot be written"},
           Row{"--out .", 73, "it is a folder"},
           Row{"--out r.html", 64, "then rotor-bench show r.json --out r.html"},
           Row{"compare a.json r.jsonl", 65, "a.json: cannot be read"},
           Row{"project r.jsonl", 65, "make one with rotor-bench show r.jsonl --out r.json"},
       }) {
    const Outcome run = bench(row.args);
    EXPECT_EQ(run.code, row.code) << row.args << '\n' << run.err;
    EXPECT_THAT(run.err, StartsWith("rotor-bench: ")) << row.args;
    EXPECT_THAT(run.err, HasSubstr(row.message)) << row.args;
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    EXPECT_THAT(run.out, IsEmpty()) << row.args;
  }
}

TEST_F(MainTest, TheChecksFindInjectedBugs) {
  const Outcome run = bench("--self-test --seed 3 --out r.json");
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  const Report report = read_json(json, "r.json");
  ASSERT_TRUE(report.run.self_test);
  EXPECT_GE(report.run.self_test->mutants, 20u);
  EXPECT_EQ(report.run.self_test->caught, report.run.self_test->mutants);
  std::size_t gpus = 0;
  for (const DeviceFacts& device : report.devices) gpus += device.backend != "cpu";
  EXPECT_EQ(report.run.self_test->mutants, 24 + 4 * gpus);
  ASSERT_TRUE(report.run.gate_self_test);
  EXPECT_EQ(report.run.gate_self_test->mutants, 15u);
  EXPECT_EQ(report.run.gate_self_test->caught, 15u);
}

TEST_F(MainTest, TheCacheIsHeldAgainstNone) {
  const Outcome run = bench("--suite kv --device cpu --seed 3 --out r.json");
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  const Report report = read_json(json, "r.json");
  EXPECT_GE(report.kv.size(), 100u);
  EXPECT_GE(report.kv_timings.size(), 4u);
  ASSERT_TRUE(report.run.kv_self_test);
  EXPECT_EQ(report.run.kv_self_test->mutants, 11u);
  EXPECT_EQ(report.run.kv_self_test->caught, 11u);
  for (const char* mode : {"bitwise", "lockstep", "cache_rows", "end_to_end"}) {
    EXPECT_TRUE(std::any_of(report.kv.begin(), report.kv.end(), [&](const KvResult& r) {
      return r.mode == mode;
    })) << mode;
  }
  const Outcome none = bench("--suite kv --device cpu --filter nothing_is_named_so");
  EXPECT_EQ(none.code, 64) << none.out << none.err;
}

TEST_F(MainTest, QualityIsMeasuredInEveryFormat) {
  const Outcome run = bench(
      "--suite quality --device cpu --seed 3 --filter 'kv_f32/head_stored|sampler' --out r.json");
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("Drawn tokens against the exact distribution"));
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  const Report report = read_json(json, "r.json");
  EXPECT_EQ(report.sampler_checks.size(), 9u);
  ASSERT_EQ(report.quality.size(), 1u);
  const QualityResult& quality = report.quality.front();
  EXPECT_EQ(quality.status, Status::Pass);
  // What an independent program gives for the texts that this one is made of: 0.72 and 0.83.
  EXPECT_NEAR(quality.text->nll, 0.8, 0.1);
  // The demo answers 199 of 200 such chats.
  EXPECT_GE(quality.chats->total().right, 190u);
  EXPECT_EQ(quality.chats->total().asked, 200u);
  // Only what may not repeat itself does not.
  for (const StrategyScore& s : quality.strategies) {
    const bool free = s.name.find("no repeat of 4") == std::string::npos;
    EXPECT_EQ(s.longest_repeat > 3, free) << s.name;
    EXPECT_EQ(s.distinct[3] < 1, free) << s.name;
    EXPECT_GT(s.tokens, 700u) << s.name;
  }
}

// Too little time leaves a valid report that says so.
TEST_F(MainTest, QualityIsCutShort) {
  const Outcome run = bench("--suite quality --device cpu --budget 300ms --out r.json");
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  const std::string json = load_file(folder_ / "r.json");
  EXPECT_EQ(schema_errors(json), "");
  const Report report = read_json(json, "r.json");
  EXPECT_EQ(report.quality.size(), 6u);
  for (const QualityResult& q : report.quality) EXPECT_EQ(q.status, Status::Skipped) << q.id;
  EXPECT_THAT(run.out, HasSubstr("cut short for lack of time; raise --budget"));
}

TEST_F(MainTest, ListsAreForPipes) {
  const Outcome cases = bench("--list --filter n64_k256 --features baseline");
  EXPECT_EQ(cases.code, 0);
  EXPECT_THAT(cases.out, HasSubstr("cpu/matmul_dense_eigen/n64_k256_b1/hot\n"));
  EXPECT_THAT(cases.err, IsEmpty());
  const Outcome rows = bench("--list-variants");
  EXPECT_EQ(rows.code, 0);
  for (const KernelVariant& variant : variants()) {
    EXPECT_THAT(rows.out, HasSubstr(std::string(variant.name)));
  }
  const Outcome devices = bench("--list-devices");
  EXPECT_EQ(devices.code, 0);
  EXPECT_THAT(devices.out, HasSubstr("cpu:0"));
  EXPECT_EQ(bench("--help").code, 0);
  EXPECT_THAT(bench("--version").out, StartsWith("rotor-bench 0."));
}

TEST_F(MainTest, ComparingSaysWhatIsTheSameAndWhatIsLost) {
  ASSERT_EQ(bench(std::string(kQuick) + "--out a.json").code, 0);
  const Outcome same = bench("compare a.json a.json --out c.html --out c.json --out c.md");
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("0 faster, 0 slower, 2 same, 0 unclear"));
  EXPECT_THAT(load_file(folder_ / "c.html"), StartsWith("<!doctype html>"));
  const auto violations =
      schema_violations(load_file(ROTOR_SOURCE_DIR "/reports/comparison-1.schema.json"),
                        load_file(folder_ / "c.json"));
  EXPECT_THAT(violations, IsEmpty());

  nlohmann::json dropped = nlohmann::json::parse(load_file(folder_ / "a.json"));
  dropped["results"].erase(1);
  save_file(folder_ / "dropped.json", dropped.dump());
  const Outcome lost = bench("compare a.json dropped.json");
  EXPECT_EQ(lost.code, 4);
  EXPECT_THAT(lost.out, HasSubstr("coverage shrank: 1 check"));
  EXPECT_EQ(bench("compare a.json absent.json").code, 65);
  EXPECT_EQ(bench("compare a.json").code, 64);
  EXPECT_EQ(bench("compare a.json a.json --out c.pdf").code, 64);
}

TEST_F(MainTest, PublishedFiguresAreShownAndHeldAgainstButNeverGated) {
  ASSERT_EQ(bench(std::string(kQuick) + "--out a.json").code, 0);
  const std::string yoga = ROTOR_SOURCE_DIR "/reports/reference/yoga-book.json ";
  const Outcome held = bench("compare " + yoga + "a.json --out c.json --out c.html --out c.csv");
  EXPECT_EQ(held.code, 0) << held.err;
  EXPECT_THAT(held.out, HasSubstr("published, not measured by rotor"));
  EXPECT_THAT(held.out, HasSubstr("0 of 6 products that were published have a verified time"));
  EXPECT_THAT(schema_violations(load_file(ROTOR_SOURCE_DIR "/reports/held-1.schema.json"),
                                load_file(folder_ / "c.json")),
              IsEmpty());
  // The other way round it is the same.
  EXPECT_EQ(bench("compare a.json " + yoga).out, held.out);
  const Outcome shown = bench("show " + yoga);
  EXPECT_EQ(shown.code, 0);
  EXPECT_THAT(shown.out, HasSubstr("never gated"));
  EXPECT_EQ(bench("compare " + yoga + yoga).code, 64);
  const Outcome gate = bench("gate " + yoga);
  EXPECT_EQ(gate.code, 64);
  EXPECT_THAT(gate.err, HasSubstr("published, not measured by rotor; a gate needs"));
}

TEST_F(MainTest, AProjectionIsCalledOne) {
  const std::string project = "project a.json ";
  ASSERT_EQ(bench(std::string(kQuick) + "--no-roofline --out a.json").code, 0);
  const Outcome none = bench(project);
  EXPECT_EQ(none.code, 64);
  EXPECT_THAT(none.err, HasSubstr("tells a share of a measured limit"));
  ASSERT_EQ(bench("--filter 'bitpacked_portable/n2560_k2560_b1$' --device cpu --budget 1m "
                  "--seed 1 --roofline --out a.json")
                .code,
            0);
  const Outcome all = bench(project + "--out p.json --out p.csv --out p.md --out p.html");
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_THAT(all.out, HasSubstr("Projection, not a measurement"));
  EXPECT_THAT(schema_violations(load_file(ROTOR_SOURCE_DIR "/reports/projection-1.schema.json"),
                                load_file(folder_ / "p.json")),
              IsEmpty());
  EXPECT_THAT(bench(project + "--onto hd615").out, Not(HasSubstr("Steam Deck")));
  EXPECT_EQ(bench(project + "--onto toaster").code, 64);
  EXPECT_EQ(bench(project + "--hardware absent.json").code, 65);
}

// One case, so that it takes seconds. A copy of a program is not slower than itself, however noisy the
// machine.
TEST_F(MainTest, TheGatePassesACopyOfItself) {
  fs::copy_file(ROTOR_BENCH_PROGRAM, folder_ / "base");
  const Outcome run = bench(
      "gate ./base --rounds 7 --filter b1/hot --filter int8 --budget 1s "
      "--seed 3 --out g.json --out g.md");
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("B against A"));
  EXPECT_THAT(schema_violations(load_file(ROTOR_SOURCE_DIR "/reports/gate-2.schema.json"),
                                load_file(folder_ / "g.json")),
              IsEmpty());
  const auto json = nlohmann::json::parse(load_file(folder_ / "g.json"));
  EXPECT_EQ(json["cases"].size(), 1u);
  const auto& rounds = json["cases"][0]["rounds"];
  ASSERT_GE(rounds.size(), 7u);
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    const std::size_t turns = rounds[i]["a_ns"].size();
    EXPECT_GE(turns, 4u);
    EXPECT_EQ(turns % 2, 0u);
    EXPECT_EQ(rounds[i]["b_ns"].size(), turns);
    EXPECT_EQ(rounds[i]["control_ns"].size(), i < 3 ? turns : 0u);
  }
}

// A report that says it took no time at all makes any time worth a look, however fast the machine.
TEST_F(MainTest, AGateAgainstAReportSaysWhereToLook) {
  const std::string one = " --filter b1/hot --filter int8 --seed 3 ";
  ASSERT_EQ(bench("--suite gate --device cpu --no-roofline --out a.json" + one).code, 0);
  nlohmann::json report = nlohmann::json::parse(load_file(folder_ / "a.json"));
  for (auto& sample : report["results"][0]["perf"]["samples_ns"]) {
    sample = sample.get<double>() / 1000;
  }
  save_file(folder_ / "fast.json", report.dump());
  const std::string gate = "gate fast.json --budget 2s --filter b1/hot --filter int8 ";
  const Outcome look = bench(gate + "--out g.md");
  EXPECT_EQ(look.code, 0) << look.err;
  EXPECT_THAT(look.out, HasSubstr("look: cpu/"));
  EXPECT_THAT(load_file(folder_ / "g.md"), HasSubstr("to decide, run the gate against"));
  EXPECT_EQ(bench(gate + "--fail-on-inconclusive").code, 3);
  EXPECT_EQ(bench(gate + "--out kept.md >/dev/full").code, 73);
  EXPECT_THAT(load_file(folder_ / "kept.md"), HasSubstr("look: cpu/"));
  report["machine"]["hw_key"] = "0000000000000001";
  save_file(folder_ / "fast.json", report.dump());
  const Outcome other = bench(gate);
  EXPECT_EQ(other.code, 64);
  EXPECT_THAT(other.err, HasSubstr("is of another machine"));
}

TEST_F(MainTest, AGateAgainstAReportTellsWhatIsGone) {
  ASSERT_EQ(bench("--suite gate --device cpu --no-roofline --budget 4s --out a.json").code, 0);
  nlohmann::json report = nlohmann::json::parse(load_file(folder_ / "a.json"));
  report["battery"][0]["variant"] = "cpu/matmul_gone";
  save_file(folder_ / "more.json", report.dump());
  const Outcome lost = bench("gate more.json --device cpu --budget 4s");
  EXPECT_EQ(lost.code, 4) << lost.out << lost.err;
  EXPECT_THAT(lost.out, HasSubstr("matmul_gone"));
  report["devices"][0]["id"] = "vulkan:77";
  save_file(folder_ / "device.json", report.dump());
  const Outcome gone = bench("gate device.json --filter b1/hot --filter int8 --budget 2s");
  EXPECT_EQ(gone.code, 69);
  EXPECT_THAT(gone.err, HasSubstr("vulkan:77"));
}

TEST_F(MainTest, AGateWithoutAUsableBaseSaysWhy) {
  EXPECT_EQ(bench("gate absent").code, 65);
  EXPECT_EQ(bench("gate ./x --rounds 3").code, 64);
  const Outcome other = bench("gate /bin/false");
  EXPECT_EQ(other.code, 4);
  EXPECT_THAT(other.err, HasSubstr("left no report (exit 1)"));
}

TEST_F(MainTest, TuningIsKeptAndUsed) {
  const std::string tune = "--tune --device cpu --model synthetic:odd/1 --budget 20s ";
  const Outcome run = bench(tune + "--tune-file t.json");
  EXPECT_EQ(run.code, 0) << run.err << run.out;
  EXPECT_THAT(run.out, HasSubstr("kept"));
  EXPECT_THAT(run.out, HasSubstr("usual"));
  const auto record = nlohmann::json::parse(load_file(folder_ / "t.json"));
  ASSERT_EQ(record["devices"].size(), 1u);
  EXPECT_EQ(record["devices"][0]["products"].size() % 4, 0u);

  const std::string kv = "--suite model --device cpu --model synthetic:odd/1 --budget 20s ";
  EXPECT_THAT(bench(kv + "--tune-file t.json").out, HasSubstr("tuned"));
  EXPECT_THAT(bench(kv + "--tune-file t.json --no-tuned").out, Not(HasSubstr("tuned")));
}

TEST_F(MainTest, ModelsAreTimedWithTheirLimits) {
  const Outcome run = bench(
      "--suite model --device cpu --model synthetic:odd/1 --budget 40s --kv int8 --out r.json");
  ASSERT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("Generation"));
  const Report report = read_json(load_file(folder_ / "r.json"), "r.json");
  ASSERT_FALSE(report.kv_timings.empty());
  for (const KvTiming& t : report.kv_timings) {
    EXPECT_EQ(t.format, "int8row");
    EXPECT_EQ(t.head, "exact");
    const TokenLimits limits = token_limits(report.roofs, t);
    EXPECT_TRUE(limits.token && limits.prompt) << t.position;
  }
  EXPECT_EQ(bench("--suite model --kv int4").code, 64);
}

TEST_F(MainTest, ABadTuningRecordIsNoDisaster) {
  shell("echo '{' >t.json");
  const std::string kv = "--suite model --device cpu --model synthetic:odd/1 --budget 20s ";
  const Outcome named = bench(kv + "--tune-file t.json");
  EXPECT_EQ(named.code, 65) << named.out << named.err;
  EXPECT_THAT(named.err, HasSubstr("t.json: is not valid JSON"));
  const Outcome usual = shell("export ROTOR_TUNING=t.json; " ROTOR_BENCH_PROGRAM " " + kv);
  EXPECT_EQ(usual.code, 0) << usual.err;
  EXPECT_THAT(usual.out, HasSubstr("nothing is tuned"));
  const Outcome over =
      bench("--tune --device cpu --model synthetic:odd/1 --budget 5s --tune-file t.json");
  EXPECT_EQ(over.code, 65) << "a named file that is no record is not written over";
}

}  // namespace
}  // namespace rotor
