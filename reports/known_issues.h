// Known issues: failures of kernels on some devices and drivers that are understood, and do not fail a
// run until they expire. They are data (reports/known_issues.json):
//
//   {"format": {"name": "rotor.known_issues", "version": "1.0.0"}, "issues": [{
//     "name": "half-rounding",             what it is called in reports
//     "pattern": "matmul_half.*_b1",       regular expression, somewhere in the id of a case; of a kernel
//                                          as such it is "<its name>/battery"
//     "device": "vulkan .*llvmpipe",       likewise in "<backend> <name>"; without it: every device
//     "driver": {"from": "22.1", "to": "22.3.6"},   both inclusive and optional; numbers are compared
//     "statuses": ["fail_verify"],         how it shows
//     "reason": "...; see issue 12",
//     "expires": "2027-01-31"}]}           the last day on which it excuses anything
#pragma once

#include <map>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "reports/report.h"

namespace rotor {

struct KnownIssue {
  std::string name;
  std::regex pattern;
  std::regex device;
  std::string driver_from;  // empty: any
  std::string driver_to;
  std::vector<Status> statuses;
  std::string reason;
  std::string expires;  // "2027-01-31"
};

// Throws FormatError; `name` appears in messages.
std::vector<KnownIssue> read_known_issues(std::string_view text, const std::string& name);
// Those that come with the program.
std::string_view built_in_known_issues();

// Whether a driver's version, the first "1.2.3" in `driver`, is in the range; one without a version is
// in no range but the open one.
bool in_driver_range(const std::string& driver, const std::string& from, const std::string& to);

// The known issues in the course of a run.
class KnownIssues {
 public:
  KnownIssues(std::vector<KnownIssue> issues, std::string today)
      : issues_(std::move(issues)), today_(std::move(today)) {}

  // Looks at what came of `id` on a device. A failure that is known becomes Waived, with the issue and
  // what was found in `code` and `message`.
  void judge(const std::string& id, const DeviceFacts& device, Status& status, std::string& code,
             std::string& message);

  // What people have to do about the list: issues that expired, and those that did not show although
  // everything that they name passed. One event each, without its time.
  std::vector<Event> complaints() const;

 private:
  struct Seen {
    std::size_t shown = 0;
    std::size_t passed = 0;
    std::size_t late = 0;  // failures after the issue expired
    std::string example;
  };

  std::vector<KnownIssue> issues_;
  std::string today_;
  std::map<std::string, Seen> seen_;  // by name
};

}  // namespace rotor
