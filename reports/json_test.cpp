#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "reports/report.h"
#include "reports/schema.h"
#include "reports/test_report.h"

namespace rotor {
namespace {

using Json = nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string& schema() {
  static const std::string text = load_file(ROTOR_SOURCE_DIR "/reports/report-1.schema.json");
  return text;
}

TEST(Json, AReportOfEveryKindOfResultIsValid) {
  EXPECT_THAT(schema_violations(schema(), write_json(sample_report())), IsEmpty());
}

TEST(Json, AnEmptyReportIsValid) {
  Journal journal("");
  journal.append(run_start({}));
  EXPECT_THAT(schema_violations(schema(), write_json(journal.report())), IsEmpty());
}

TEST(Json, WritingReadingAndWritingAgainChangesNothing) {
  const std::string first = write_json(sample_report());
  EXPECT_EQ(write_json(read_json(first, "report")), first);
}

TEST(Json, DerivesTheSpeedUpOverTheDenseRow) {
  const Json json = Json::parse(write_json(sample_report()));
  const Json& fast = json["results"][0]["perf"];
  EXPECT_DOUBLE_EQ(fast["stats"]["median"], 100000);
  EXPECT_DOUBLE_EQ(fast["derived"]["speedup_over_dense"], 8);
  EXPECT_DOUBLE_EQ(fast["derived"]["ops_per_s"], 2.0 * 2560 * 2560 / 100e-6);
  EXPECT_DOUBLE_EQ(fast["derived"]["bytes_per_s"], 2560.0 * 2560 / 4 / 100e-6);
}

TEST(Json, LayersAreShapesOfTheirOwn) {
  const Report report = sample_report_with_layers();
  const Json json = Json::parse(write_json(report));
  EXPECT_THAT(schema_violations(schema(), json.dump()), IsEmpty());
  const Json& shape = json["results"][7]["case"]["shape"];
  EXPECT_EQ(shape["layers"], 30);
  EXPECT_EQ(shape["position"], 2047);
  EXPECT_FALSE(json["results"][0]["case"]["shape"].contains("layers"));
  const Report read = read_json(json.dump(), "report");
  EXPECT_EQ(read.results[7].spec.layers, report.results[7].spec.layers);
  EXPECT_FALSE(read.results[0].spec.layers);
  // A row with a dense product of the width between layers is no base for them.
  EXPECT_TRUE(json["results"][7]["perf"]["derived"]["speedup_over_dense"].is_null());
  EXPECT_NE(case_key(read.results[6].spec), case_key(read.results[7].spec));
  Case half = read.results[7].spec;
  half.layers->layers = 15;
  EXPECT_NE(case_key(half), case_key(read.results[7].spec));
}

// Keys of reports that were written before there were layers.
TEST(Json, KeysOfProductsStayTheSame) {
  const Case spec{"", "matmul", "cpu", "matmul_trits5_avx512vbmi", 1, 640, 2560, false, 3};
  EXPECT_EQ(hex_key(case_key(spec)), "4307df630c55e4ee");
}

TEST(Json, SixtyFourBitNumbersAreText) {
  const Json json = Json::parse(write_json(sample_report()));
  EXPECT_EQ(json["run"]["seed"], "0x5eed");
  EXPECT_EQ(json["machine"]["sw_key"], "fedcba9876543210");
  EXPECT_EQ(json["results"][0]["verify"]["inputs"][0]["digest"], "abcdef0123456789");
}

TEST(Json, NumbersThatAreNotFiniteNeverReachTheFile) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, infinity, 0.0, -1.0}) {
    Report report = sample_report();
    report.results[0].measurement->samples_s[1] = bad;
    report.results[2].verdict.first[0].got = bad;
    report.results[2].verdict.max_abs = bad;
    report.machine.power_start.load_avg_1m = bad;
    const std::string text = write_json(report);
    EXPECT_THAT(schema_violations(schema(), text), IsEmpty()) << bad;
    const Json result = Json::parse(text)["results"][0];
    EXPECT_EQ(result["status"], "error") << bad;
    EXPECT_EQ(result["reason"]["code"], "non_finite") << bad;
    EXPECT_TRUE(result["perf"].is_null()) << bad;
  }
}

TEST(Json, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  Report report = sample_report();
  report.run.argv = {"rotor-bench", "--out", "caf\xE9.json"};
  EXPECT_EQ(Json::parse(write_json(report))["run"]["argv"][2], "caf\uFFFD.json");
}

// What a validator must reject (measuring-and-verifying, part B): each edit of a valid report.
TEST(Json, TheSchemaRejectsWhatMustNotBeRepresentable) {
  struct Edit {
    const char* what;
    const char* pointer;
    Json value;
  };
  const Json valid = Json::parse(write_json(sample_report()));
  const Edit edits[] = {
      {"pass without verify", "/results/0/verify", nullptr},
      {"pass with mismatches", "/results/0/verify/mismatches", 1},
      {"pass with broken guards", "/results/0/verify/guards_intact", false},
      {"pass with poison left", "/results/0/verify/poison_cleared", false},
      {"times whose outputs were not checked", "/results/0/verify/timed_output_verified", false},
      {"times of a failed case", "/results/2/perf", valid["results"][0]["perf"]},
      {"unsupported without reason", "/results/4/reason", nullptr},
      {"zero time", "/results/0/perf/samples_ns/0", 0},
      {"no samples", "/results/0/perf/samples_ns", Json::array()},
      {"no layers", "/results/0/case/shape/layers", 0},
      {"another major version", "/format/version", "2.0.0"},
      {"unknown status", "/results/0/status", "great"},
      {"space in a case id", "/results/0/case/id", "cpu/a b"},
      {"nothing checked", "/results/0/verify/checked", 0},
      {"a row that passed unchecked", "/battery/0/verify", nullptr},
      {"time per token of zero", "/kv_timing/0/with_cache_ns", 0},
      {"quality measured without text", "/quality/0/text", nullptr},
      {"quality measured without chats", "/quality/0/chats", nullptr},
      {"quality cut short without a reason", "/quality/0/status", "skipped"},
      {"a share above one", "/quality/0/strategies/0/distinct/2", 1.5},
      {"a sampler that draws the impossible", "/sampler/0/impossible", 1},
  };
  for (const Edit& edit : edits) {
    Json broken = valid;
    broken[Json::json_pointer(edit.pointer)] = edit.value;
    EXPECT_THAT(schema_violations(schema(), broken.dump()), Not(IsEmpty())) << edit.what;
  }
}

TEST(Json, TheValidatorRefusesKeywordsItDoesNotKnow) {
  EXPECT_THROW(schema_violations(R"({"multipleOf": 2})", "4"), FormatError);
  EXPECT_THAT(schema_violations(R"({"type": ["integer", "null"], "minimum": 3})", "2"),
              ElementsAre("/: 2 < 3"));
}

// Messages name the file and the place.
TEST(Json, ReadingSaysWhatIsWrongAndWhere) {
  const Json valid = Json::parse(write_json(sample_report()));
  const auto with = [&](const char* pointer, const Json& value) {
    Json broken = valid;
    broken[Json::json_pointer(pointer)] = value;
    return broken.dump();
  };
  const std::pair<std::string, const char*> rows[] = {
      {"", "a.json: not JSON at byte 1"},
      {"{\"x\": NaN}", "a.json: not JSON at byte"},
      {"[]", "a.json: is not an object"},
      {"{}", "a.json: \"format\" is missing"},
      {R"({"format": {"name": "other"}})", "a.json: is not a report of rotor-bench"},
      {with("/format/version", "2.0.0"), "a.json.format.version: format 2.0.0 is not known here"},
      {with("/results/1/status", "great"), "a.json.results[1].status: unknown name \"great\""},
      {with("/results/0/perf/samples_ns", "many"),
       "results[0].perf.samples_ns: has the wrong type"},
      {with("/results/0/perf/samples_ns/0", -1), "a time that is not above zero"},
      {with("/results/2/perf", valid["results"][0]["perf"]), "a time for a kernel that failed"},
      {with("/run/seed", "0xyz"), "run.seed: is not a hexadecimal number"},
      {with("/results", 3), "results: is not an array"},
  };
  for (const auto& [text, message] : rows) {
    try {
      read_json(text, "a.json");
      ADD_FAILURE() << "accepted, expected: " << message;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

TEST(Json, ReadersIgnoreWhatANewerMinorVersionAdds) {
  Json json = Json::parse(write_json(sample_report()));
  json["format"]["version"] = "1.99.0";
  json["new_section"] = {1, 2, 3};
  json["results"][0]["perf"]["new_number"] = 7;
  EXPECT_EQ(read_json(json.dump(), "report").results.size(), 6u);
}

TEST(Json, EveryStatusHasANameAndBack) {
  for (int i = 0; i <= static_cast<int>(Status::NotRun); ++i) {
    const auto status = static_cast<Status>(i);
    EXPECT_EQ(parse_status(status_name(status)), status) << i;
  }
  EXPECT_EQ(parse_status("great"), std::nullopt);
}

}  // namespace
}  // namespace rotor
