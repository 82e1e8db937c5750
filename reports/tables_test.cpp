#include "reports/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/test_report.h"

namespace rotor {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count_of_text(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++count;
  }
  return count;
}

TEST(Tables, ThePageHoldsEveryCaseItsEvidenceAndTheEnvironment) {
  const Report report = sample_report();
  const std::string page = html_text(document_of(report));
  for (const CaseResult& r : report.results) {
    EXPECT_EQ(count_of_text(page, "<td>" + r.spec.id + "</td>"), 1u) << r.spec.id;
    EXPECT_EQ(count_of_text(page, ">" + r.spec.id + "</a></td>"), 1u) << r.spec.id;
  }
  for (const char* part :
       {"127 * 2560 &lt; 2^24", "want 3, got 4", "0123456789abcdef", "kv/lockstep/prefill16/demo",
        "clock fell", "256 MiB", "1.5e-06", "top-p 0.8", "greedy", "L3 Unified 32 MiB", "load 0.25",
        "nothing beside", "rotor-bench --suite all"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  // Nothing is loaded, from anywhere.
  for (const char* part : {"src=", "href=\"http", "@import", "url("}) {
    EXPECT_THAT(page, Not(HasSubstr(part))) << part;
  }
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
}

TEST(Tables, TheSpreadsheetHasARowForEveryCase) {
  const Report report = sample_report();
  EXPECT_EQ(count_of_text(report_csv(report), "\r\n"), 1 + report.results.size());
  EXPECT_THAT(report_csv(report),
              HasSubstr("cpu/matmul_fast/n2560_k2560_b1,cpu:0,pass,2560,2560,1"));
}

TEST(Tables, JUnitCountsWhatFailedAndWhatWasLeftOut) {
  Report report = sample_report();
  report.results[2].verdict.message = "a < b & \"c\"\x01";
  const std::string xml = report_junit(report);
  EXPECT_THAT(xml, HasSubstr("tests=\"8\" failures=\"1\" errors=\"0\" skipped=\"2\""));
  EXPECT_THAT(xml, HasSubstr("message=\"a &lt; b &amp; &quot;c&quot;\""));
  report.results[2].verdict.status = Status::Crash;
  EXPECT_THAT(report_junit(report), HasSubstr("failures=\"0\" errors=\"1\""));
}

}  // namespace
}  // namespace rotor
