#include "reports/published.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "reports/schema.h"
#include "reports/tables.h"
#include "reports/test_report.h"

namespace rotor {
namespace {

using Json = nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const char* const kYogaBook = ROTOR_SOURCE_DIR "/reports/reference/yoga-book.json";

Report yoga_book() {
  return read_json(load_file(kYogaBook), "yoga.json");
}

std::string schema(const std::string& name) {
  return load_file(ROTOR_SOURCE_DIR "/reports/" + name + "-1.schema.json");
}

CaseResult on(CaseResult result, const std::string& device) {
  result.device = device;
  result.spec.backend = device.substr(0, device.find(':'));
  return result;
}

Report run_of(const std::vector<CaseResult>& results) {
  Report report = sample_report();
  report.results = results;
  const auto add = [&](const char* id, const char* backend, const char* kind) {
    DeviceFacts device;
    device.id = device.name = id;
    device.backend = backend;
    device.kind = kind;
    report.devices.push_back(device);
  };
  add("opencl:0", "opencl", "software");
  add("opencl:1", "opencl", "integrated");
  return report;
}

const HeldProduct& of(const HeldAgainst& held, const std::string& backend, std::uint32_t m) {
  for (const HeldProduct& p : held.products) {
    if (p.published.backend == backend && p.published.m == m) return p;
  }
  throw std::runtime_error("not published: " + backend);
}

// The figures as they were published.
TEST(Published, TheYogaBookIsAsPublished) {
  const Report report = yoga_book();
  ASSERT_TRUE(report.published);
  std::map<std::string, double> times;
  for (const PublishedProduct& p : report.published->products) {
    times[figure_name(p)] = p.seconds;
  }
  const std::map<std::string, double> expected = {
      {"published/opencl/n2560_k2560_b1/OpenCL", 11.03e-3},
      {"published/cpu/n2560_k2560_b1/OpenCL", 22.26e-3},
      {"published/opencl/n2560_k2560_b5/OpenCL", 41.43e-3},
      {"published/cpu/n2560_k2560_b5/OpenCL", 134.73e-3},
      {"published/vulkan/n2560_k2560_b1/Vulkan", 10.76e-3},
      {"published/cpu/n2560_k2560_b1/Vulkan", 2.16e-3}};
  ASSERT_THAT(times, SizeIs(expected.size()));
  for (const auto& [name, seconds] : expected) EXPECT_DOUBLE_EQ(times[name], seconds) << name;
  ASSERT_THAT(report.published->tokens, SizeIs(1));
  EXPECT_EQ(report.published->tokens[0].tokens, 6u);
  EXPECT_DOUBLE_EQ(report.published->tokens[0].with_cache_s, 105.2);
  EXPECT_DOUBLE_EQ(report.published->tokens[0].without_cache_s, 283.9);
}

TEST(Published, EveryReferenceIsValidAndSurvivesWriting) {
  for (const auto& entry :
       std::filesystem::directory_iterator(ROTOR_SOURCE_DIR "/reports/reference")) {
    const std::string text = load_file(entry.path());
    if (Json::parse(text)["format"]["name"] != "rotor.report") continue;
    EXPECT_THAT(schema_violations(schema("report"), text), IsEmpty()) << entry.path();
    const Report report = read_json(text, entry.path());
    ASSERT_TRUE(report.published) << entry.path();
    const std::string written = write_json(report);
    EXPECT_THAT(schema_violations(schema("report"), written), IsEmpty()) << entry.path();
    EXPECT_EQ(Json::parse(written)["published"], Json::parse(text)["published"]);
  }
}

// Neither kind can carry what belongs to the other.
TEST(Published, CannotPassForMeasurements) {
  const Json published = Json::parse(load_file(kYogaBook));
  const Json measured = Json::parse(write_json(sample_report()));
  const auto with = [](Json json, const char* pointer, const Json& value) {
    json[Json::json_pointer(pointer)] = value;
    return json.dump();
  };
  const std::pair<std::string, const char*> rows[] = {
      {with(published, "/results", measured["results"]), "results: published figures have no"},
      {with(published, "/battery", measured["battery"]), "battery: published figures have no"},
      {with(published, "/format/kind", "measured"), "a measured report has no published"},
      {with(published, "/format/kind", "guessed"), "unknown name \"guessed\""},
      {with(published, "/published/products/0/ns", 0), "is not above zero"},
      {with(measured, "/published", published["published"]), "has no published figures"},
      {with(measured, "/format/kind", "published"), "published figures have no results"}};
  for (const auto& [text, message] : rows) {
    EXPECT_THAT(schema_violations(schema("report"), text), Not(IsEmpty())) << message;
    try {
      read_json(text, "x.json");
      ADD_FAILURE() << "accepted, expected: " << message;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

TEST(Published, EveryFormatSaysThatNothingWasMeasured) {
  const Report report = yoga_book();
  const Document document = document_of(report);
  for (const std::string& text : {console_text(document), markdown_text(document),
                                  html_text(document), report_junit(report)}) {
    EXPECT_THAT(text, AllOf(HasSubstr("2560"), HasSubstr(kNotMeasured)));
  }
  EXPECT_THAT(report_csv(report), HasSubstr("0.01103,not verified"));
  EXPECT_THAT(report_junit(report),
              HasSubstr("tests=\"6\" failures=\"0\" errors=\"0\" skipped=\"6\""));
  EXPECT_THROW(require_measured(report, "yoga.json", "a gate"), UsageError);
  EXPECT_NO_THROW(require_measured(sample_report(), "mine.json", "a gate"));
}

// A wrong kernel, a dense one, cached weights and imitated devices are no match.
TEST(Published, TheFastestVerifiedKernelOfTheBackendIsHeldAgainstAFigure) {
  const Report mine = run_of({
      timed("matmul_x", 1, {2e-3, 2e-3, 2e-3}),
      timed("matmul_y", 1, {1e-3, 1e-3, 1e-3}),
      timed("matmul_y", 1, {1e-4, 1e-4, 1e-4}, true),
      timed("matmul_dense_eigen", 1, {1e-5, 1e-5, 1e-5}),
      failed("matmul_wrong", 1),
      on(timed("matmul_x", 1, {1e-6, 1e-6, 1e-6}), "opencl:0"),
      on(timed("matmul_x", 1, {5.515e-3, 5.515e-3, 5.515e-3}), "opencl:1"),
      on(timed("matmul_x", 5, {1e-3, 1e-3, 1e-3}, true), "opencl:0"),
  });
  const HeldAgainst held = hold_against(yoga_book(), "yoga.json", mine, "mine.json");
  ASSERT_THAT(held.products, SizeIs(6));
  ASSERT_TRUE(of(held, "cpu", 1).mine);
  EXPECT_EQ(of(held, "cpu", 1).mine->case_id, "cpu/matmul_y/n2560_k2560_b1");
  EXPECT_EQ(of(held, "cpu", 1).mine->kernels, 2u);
  EXPECT_EQ(of(held, "opencl", 1).mine->device, "opencl:1");
  EXPECT_DOUBLE_EQ(of(held, "opencl", 1).published.seconds / of(held, "opencl", 1).mine->seconds,
                   2);
  // Better than nothing, and said.
  EXPECT_TRUE(of(held, "opencl", 5).mine->software);
  EXPECT_EQ(of(held, "vulkan", 1).lacking, "the run has no vulkan device");
  EXPECT_EQ(of(held, "cpu", 5).lacking, "no verified time of this shape and batch");
  EXPECT_EQ(held.wrong, 1u);
  EXPECT_EQ(exit_code(held), kExitCheckFailed);
}

TEST(Published, TheGainOfTheCacheIsTakenAtTheNearestPosition) {
  Report mine = run_of({});
  mine.kv_timings = {{"demo", "cpu:0", 63, "f32", 1, 9, {}, {}, {}, {}},
                     {"demo", "cpu:0", 7, "f32", 1, 3, {}, {}, {}, {}},
                     {"demo", "cpu:0", 15, "f32", 1, 5, {}, {}, {}, {}}};
  const HeldAgainst held = hold_against(yoga_book(), "yoga.json", mine, "mine.json");
  ASSERT_THAT(held.gains, SizeIs(1));
  EXPECT_EQ(held.gains[0].position, 7u);
  EXPECT_THAT(console_text(document_of(held)), AllOf(HasSubstr("3.00×"), HasSubstr("2.70×")));
  EXPECT_EQ(exit_code(held), kExitOk);
}

TEST(Published, AHeldRunInEveryFormat) {
  const HeldAgainst held =
      hold_against(yoga_book(), "yoga.json", run_of({timed("matmul_x", 1, {1e-3})}), "mine.json");
  EXPECT_THAT(schema_violations(schema("held"), held_json(held)), IsEmpty());
  const Document document = document_of(held);
  for (const std::string& text : {console_text(document), markdown_text(document),
                                  html_text(document), held_csv(held), held_json(held)}) {
    EXPECT_THAT(text, AllOf(HasSubstr("2.16"), HasSubstr(kNotMeasured)));
  }
}

}  // namespace
}  // namespace rotor
