// The page of a report as a browser takes it: what may run, what the charts are told, where they lead.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "reports/tables.h"
#include "reports/test_report.h"
#include "reports/test_sha256.h"

namespace rotor {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// What stands between `begin` and `end`, every time.
std::vector<std::string> parts_between(const std::string& text, const std::string& begin,
                                       const std::string& end) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
    at += begin.size();
    const std::size_t stop = text.find(end, at);
    parts.push_back(text.substr(at, stop - at));
    at = stop;
  }
  return parts;
}

const std::string kData = "<script type=\"application/json\" id=\"chart-data\">";

bool has_charts(const std::string& page) {
  return page.find(kData) != std::string::npos;
}

TEST(Page, ItsPolicyAllowsExactlyItsScriptsAndItsStyle) {
  const std::string page = html_text(document_of(sample_report()));
  const std::string policy = parts_between(page, "Content-Security-Policy\" content=\"", "\"")[0];
  std::string scripts;
  for (const std::string& script : parts_between(page, "<script>", "</script>")) {
    scripts += " '" + policy_hash(script) + '\'';
  }
  const std::string style = policy_hash(parts_between(page, "<style>", "</style>")[0]);
  EXPECT_EQ(policy, "default-src 'none'; style-src '" + style + "'; script-src" + scripts +
                        "; base-uri 'none'; form-action 'none'");
}

TEST(Page, NamesCannotEndItsScripts) {
  Report report = sample_report();
  const std::string hostile = "</script><!--<script>\"\\";
  report.devices[0].name = hostile;
  report.results[0].spec.variant = hostile;
  const std::string page = html_text(document_of(report));
  EXPECT_THAT(page, Not(HasSubstr(hostile)));
  EXPECT_THAT(page, Not(HasSubstr("<!--")));
  if (!has_charts(page)) GTEST_SKIP() << "the build has no chart library (libjs-chart.js)";
  const json data = json::parse(parts_between(page, kData, "</script>")[0]);
  EXPECT_EQ(data["devices"][0]["name"], hostile);
  EXPECT_EQ(data["cases"][0]["variant"], hostile);
}

TEST(Page, EveryPointLeadsToTheRowOfItsCase) {
  const Report report = sample_report();
  const std::string page = html_text(document_of(report));
  const json data = json::parse(chart_data(report));
  ASSERT_EQ(data["cases"].size(), 3u);  // those with times
  for (const json& point : data["cases"]) {
    const auto rows =
        parts_between(page, "<tr id=\"" + point["row"].get<std::string>() + "\"><td>", "</td>");
    ASSERT_EQ(rows.size(), 1u) << point;
    EXPECT_THAT(rows[0], HasSubstr(point["variant"].get<std::string>()));
  }
  ASSERT_EQ(data["kv"].size(), 1u);
  EXPECT_THAT(page, HasSubstr("<tr id=\"kv-0\"><td>demo</td>"));
}

TEST(Page, LinksLeadSomewhere) {
  const std::string page = html_text(document_of(sample_report()));
  for (const std::string& anchor : parts_between(page, "href=\"#", "\"")) {
    EXPECT_THAT(page, HasSubstr(" id=\"" + anchor + "\"")) << anchor;
  }
}

TEST(Page, ChartsHaveTimesRatesAndRoofs) {
  Report report = sample_report();
  report.roofs.push_back({"cpu:0", "read_bw", 1u << 28, "end", 3e10, "bytes/s", {3e10}, {}});
  report.roofs.push_back({"cpu:0", "read_bw", 1u << 28, "end", 9e10, "bytes/s", {9e10}, 1u});
  const json data = json::parse(chart_data(report));
  const json& fast = data["cases"][0];
  EXPECT_EQ(fast["median_s"], 100e-6);
  EXPECT_EQ(fast["speedup"], 8.0);
  EXPECT_EQ(fast["ops_per_byte"], 8.0);  // two operations for each of the four weights of a byte
  ASSERT_EQ(data["devices"][0]["roofs"].size(), 1u);
  EXPECT_EQ(data["devices"][0]["roofs"][0]["per_s"], 3e10);  // the best of all threads
}

TEST(Page, PagesWithoutChartsHaveNoScriptsForThem) {
  Document document = document_of(sample_report());
  document.chart_data.clear();
  const std::string page = html_text(document);
  EXPECT_FALSE(has_charts(page));
  EXPECT_EQ(parts_between(page, "<script", "</script>").size(), 1u);
}

}  // namespace
}  // namespace rotor
