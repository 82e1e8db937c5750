#include "reports/known_issues.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace rotor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string list_of(const std::string& entries) {
  return R"({"format": {"name": "rotor.known_issues", "version": "1.0.0"}, "issues": [)" + entries +
         "]}";
}

constexpr const char* kEntry = R"({"name": "rounding", "pattern": "matmul_half.*_b1$",
  "device": "vulkan .*llvmpipe", "driver": {"from": "22.1", "to": "22.3"},
  "statuses": ["fail_verify", "crash"], "reason": "see issue 12", "expires": "2027-01-31"})";

DeviceFacts llvmpipe(const std::string& driver = "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)") {
  DeviceFacts device;
  device.id = "vulkan:0";
  device.backend = "vulkan";
  device.name = "llvmpipe (LLVM 15.0.6, 256 bits)";
  device.driver = driver;
  return device;
}

KnownIssues issues_on(const std::string& day) {
  return {read_known_issues(list_of(kEntry), "list"), day};
}

std::vector<std::string> kinds(const std::vector<Event>& events) {
  std::vector<std::string> out;
  for (const Event& e : events) out.push_back(e.kind);
  return out;
}

TEST(KnownIssues, TheListThatComesWithTheProgramCanBeRead) {
  EXPECT_NO_THROW(read_known_issues(built_in_known_issues(), "built in"));
}

TEST(KnownIssues, AKnownFailureIsWaivedWithItsReason) {
  KnownIssues known = issues_on("2027-01-31");
  Status status = Status::FailVerify;
  std::string code = "mismatch";
  std::string message = "3 wrong";
  known.judge("vulkan/matmul_half@8x1/n64_k256_b1", llvmpipe(), status, code, message);
  EXPECT_EQ(status, Status::Waived);
  EXPECT_EQ(code, "known_issue");
  EXPECT_EQ(message, "rounding: see issue 12 (fail_verify, mismatch: 3 wrong)");
  EXPECT_THAT(known.complaints(), IsEmpty());
}

TEST(KnownIssues, WhatIsNotNamedIsNotExcused) {
  struct Row {
    const char* id;
    const char* backend;
    const char* driver;
    Status status;
  };
  const char* id = "vulkan/matmul_half@8x1/n64_k256_b1";
  const char* driver = "llvmpipe Mesa 22.3.6";
  for (const Row& row : {
           Row{"vulkan/matmul_half@8x1/n64_k256_b5", "vulkan", driver, Status::FailVerify},
           Row{id, "opencl", driver, Status::FailVerify},
           Row{id, "vulkan", "Mesa 22.0.9", Status::FailVerify},
           Row{id, "vulkan", "Mesa 23.0", Status::FailVerify},
           Row{id, "vulkan", "of unknown age", Status::FailVerify},
           Row{id, "vulkan", driver, Status::Timeout},
           Row{id, "vulkan", driver, Status::Unsupported},
       }) {
    KnownIssues known = issues_on("2026-01-01");
    DeviceFacts device = llvmpipe(row.driver);
    device.backend = row.backend;
    Status status = row.status;
    std::string code = "code";
    std::string message;
    known.judge(row.id, device, status, code, message);
    EXPECT_EQ(status, row.status) << row.id << ' ' << row.backend << ' ' << row.driver;
    EXPECT_EQ(code, "code");
  }
}

TEST(KnownIssues, WhatPassesOrExpiredIsTold) {
  const auto judge = [](KnownIssues& known, Status status) {
    std::string code;
    std::string message;
    known.judge("vulkan/matmul_half@8x1/n64_k256_b1", llvmpipe(), status, code, message);
    return status;
  };
  KnownIssues mended = issues_on("2026-01-01");
  EXPECT_EQ(judge(mended, Status::Pass), Status::Pass);
  EXPECT_THAT(kinds(mended.complaints()), ElementsAre("known_issue_passed"));
  KnownIssues now_and_then = issues_on("2026-01-01");
  judge(now_and_then, Status::Pass);
  judge(now_and_then, Status::Crash);
  EXPECT_THAT(now_and_then.complaints(), IsEmpty());
  KnownIssues late = issues_on("2027-02-01");
  EXPECT_EQ(judge(late, Status::Crash), Status::Crash);
  EXPECT_THAT(kinds(late.complaints()), ElementsAre("known_issue_expired"));
  EXPECT_THAT(late.complaints()[0].detail, HasSubstr("still shows"));
  EXPECT_THAT(issues_on("2027-02-01").complaints(), IsEmpty());  // nothing of it was run
}

TEST(KnownIssues, DriverVersionsAreComparedAsNumbers) {
  EXPECT_TRUE(in_driver_range("anything", "", ""));
  EXPECT_TRUE(in_driver_range("535.129.03", "535.9", ""));
  EXPECT_FALSE(in_driver_range("535.129.03", "", "535.9"));
  EXPECT_TRUE(in_driver_range("Mesa 22.3.6", "22.3.6", "22.3.6"));
  EXPECT_TRUE(in_driver_range("Mesa 22.3.6", "", "22"));
  EXPECT_FALSE(in_driver_range("Mesa 22", "22.1", ""));
}

TEST(KnownIssues, BadListsAreRefusedWithThePlace) {
  const auto entry_with = [](const std::string& from, const std::string& to) {
    std::string text = kEntry;
    return list_of(text.replace(text.find(from), from.size(), to));
  };
  struct Row {
    std::string text;
    const char* message;
  };
  for (const Row& row : {
           Row{"{", "list: is not JSON"},
           Row{"[]", "list: is no list of known issues"},
           Row{R"({"format": {"name": "rotor.report", "version": "1.0.0"}})", "is no list"},
           Row{R"({"format": {"name": "rotor.known_issues", "version": "2.0.0"}, "issues": []})",
               "format rotor.known_issues 1"},
           Row{R"({"format": {"name": "rotor.known_issues", "version": "1.0.0"}})",
               "\"issues\" is not an array"},
           Row{list_of("3"), "issues[0]: is not an object"},
           Row{entry_with("\"reason\"", "\"reasons\""), "\"reason\" is missing"},
           Row{entry_with("\"device\"", "\"devise\""), "\"devise\" is no member"},
           Row{entry_with("matmul_half.*", "("), "\"pattern\" is no regular expression"},
           Row{entry_with("2027-01-31", "soon"), "\"expires\" is no day"},
           Row{entry_with("\"crash\"", "\"pass\""), "\"pass\" is not the status of a failure"},
           Row{entry_with("\"from\": \"22.1\", \"to\": \"22.3\"", ""), "\"driver\" needs"},
           Row{list_of(std::string(kEntry) + ", " + kEntry), "issues[1]: there is an issue"},
       }) {
    try {
      read_known_issues(row.text, "list");
      ADD_FAILURE() << "accepted: " << row.text;
    } catch (const FormatError& error) {
      EXPECT_THAT(error.what(), HasSubstr(row.message));
    }
  }
}

}  // namespace
}  // namespace rotor
