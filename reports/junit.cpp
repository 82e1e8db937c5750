// A report as JUnit XML: what CI servers show. A case is a test, a device a suite.

#include "reports/tables.h"

namespace rotor {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // Other control characters are not XML.
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

struct Suite {
  std::size_t tests = 0;
  std::size_t failures = 0;
  std::size_t errors = 0;
  std::size_t skipped = 0;
  std::string cases;

  void add(const std::string& id, Status status, const std::string& message, double seconds) {
    const std::string text = "message=\"" + escaped(message) + "\"";
    const std::string kind = " type=\"" + std::string(status_name(status)) + "\"";
    std::string inside;
    ++tests;
    if (is_wrong(status)) {
      ++failures;
      inside = "<failure " + text + kind + "/>";
    } else if (is_broken(status)) {
      ++errors;
      inside = "<error " + text + kind + "/>";
    } else if (status != Status::Pass && status != Status::SuspectNumeric) {
      ++skipped;
      inside = "<skipped " + text + "/>";
    }
    cases += "  <testcase classname=\"rotor\" name=\"" + escaped(id) + "\" time=\"" +
             std::to_string(seconds) + "\">" + inside + "</testcase>\n";
  }
};

}  // namespace

std::string report_junit(const Report& report) {
  std::map<std::string, Suite> suites;
  if (report.published) {  // nothing of it was tested here
    for (const PublishedProduct& p : report.published->products) {
      suites[report.published->machine].add(figure_name(p), Status::Skipped, kNotMeasured, 0);
    }
  }
  for (const RowCheck& r : report.battery) {
    suites[r.device].add(r.variant + "/battery", r.verdict.status, r.verdict.message, r.seconds);
  }
  for (const CaseResult& r : report.results) {
    suites[r.device].add(r.spec.id, r.verdict.status, r.verdict.message, r.end_s - r.start_s);
  }
  for (const KvResult& r : report.kv) suites[r.device].add(r.id, r.status, r.message, 0);
  std::string out =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"rotor-bench\">\n";
  for (const auto& [device, suite] : suites) {
    out += " <testsuite name=\"" + escaped(device) + "\" tests=\"" + std::to_string(suite.tests) +
           "\" failures=\"" + std::to_string(suite.failures) + "\" errors=\"" +
           std::to_string(suite.errors) + "\" skipped=\"" + std::to_string(suite.skipped) +
           "\">\n" + suite.cases + " </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace rotor
