#include "reports/known_issues.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/error.h"
#include "known_issues_text.h"
#include "reports/text.h"

namespace rotor {
namespace {

using Json = nlohmann::json;

// Members of an entry, those that it must have first.
constexpr std::string_view kMust[] = {"name", "pattern", "statuses", "reason", "expires"};
constexpr std::string_view kMay[] = {"device", "driver"};

class EntryReader {
 public:
  EntryReader(const Json& entry, std::string place) : entry_(entry), place_(std::move(place)) {}

  KnownIssue read() const {
    check_members();
    KnownIssue issue;
    issue.name = text(entry_, "name");
    issue.pattern = expression("pattern");
    issue.device = expression("device");
    issue.reason = text(entry_, "reason");
    issue.expires = text(entry_, "expires");
    if (!std::regex_match(issue.expires,
                          std::regex("\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])"))) {
      fail("\"expires\" is no day; write \"2027-01-31\"");
    }
    if (entry_.contains("driver")) read_range(issue);
    read_statuses(issue);
    return issue;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw FormatError(place_ + ": " + what); }

  void check_members() const {
    if (!entry_.is_object()) fail("is not an object");
    for (const std::string_view key : kMust) {
      if (!entry_.contains(key)) fail("\"" + std::string(key) + "\" is missing");
    }
    for (const auto& [key, value] : entry_.items()) {
      const bool known = std::find(std::begin(kMust), std::end(kMust), key) != std::end(kMust) ||
                         std::find(std::begin(kMay), std::end(kMay), key) != std::end(kMay);
      if (!known) fail("\"" + key + "\" is no member of a known issue");
    }
  }

  std::string text(const Json& object, const char* key) const {
    if (!object.contains(key)) return "";
    const Json& value = object.at(key);
    if (!value.is_string() || value.get<std::string>().empty()) {
      fail("\"" + std::string(key) + "\" is not a text");
    }
    return value.get<std::string>();
  }

  std::regex expression(const char* key) const {
    try {
      return std::regex(text(entry_, key));
    } catch (const std::regex_error&) {
      fail("\"" + std::string(key) + "\" is no regular expression: " + text(entry_, key));
    }
  }

  void read_range(KnownIssue& issue) const {
    const Json& range = entry_.at("driver");
    if (!range.is_object() || (!range.contains("from") && !range.contains("to"))) {
      fail("\"driver\" needs \"from\", \"to\" or both");
    }
    issue.driver_from = text(range, "from");
    issue.driver_to = text(range, "to");
  }

  void read_statuses(KnownIssue& issue) const {
    const Json& names = entry_.at("statuses");
    if (!names.is_array() || names.empty()) fail("\"statuses\" is no list of statuses");
    for (const Json& name : names) {
      const auto status = name.is_string() ? parse_status(name.get<std::string>()) : std::nullopt;
      if (!status || !(is_wrong(*status) || is_broken(*status))) {
        fail("\"statuses\": " + name.dump() + " is not the status of a failure");
      }
      issue.statuses.push_back(*status);
    }
  }

  const Json& entry_;
  std::string place_;
};

// "Mesa 22.3.6 (LLVM 15)" -> 22, 3, 6
std::vector<unsigned long> version_in(const std::string& driver) {
  std::smatch found;
  std::vector<unsigned long> numbers;
  if (!std::regex_search(driver, found, std::regex("\\d{1,9}(\\.\\d{1,9})*"))) return numbers;
  std::istringstream parts(found.str());
  for (std::string part; std::getline(parts, part, '.');) numbers.push_back(std::stoul(part));
  return numbers;
}

}  // namespace

std::vector<KnownIssue> read_known_issues(std::string_view text, const std::string& name) {
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) throw FormatError(name + ": is not JSON");
  const Json format = document.is_object() ? document.value("format", Json()) : Json();
  const auto member = [&](const char* key) {
    const Json value = format.is_object() ? format.value(key, Json()) : Json();
    return value.is_string() ? value.get<std::string>() : "";
  };
  if (member("name") != "rotor.known_issues" || !member("version").starts_with("1.")) {
    throw FormatError(name + ": is no list of known issues, format rotor.known_issues 1");
  }
  const Json entries = document.value("issues", Json());
  if (!entries.is_array()) throw FormatError(name + ": \"issues\" is not an array");
  std::vector<KnownIssue> issues;
  std::set<std::string> names;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string place = name + ": issues[" + std::to_string(i) + "]";
    issues.push_back(EntryReader(entries[i], place).read());
    if (!names.insert(issues.back().name).second) {
      throw FormatError(place + ": there is an issue \"" + issues.back().name + "\" before it");
    }
  }
  return issues;
}

std::string_view built_in_known_issues() {
  return kKnownIssuesText;
}

// A prefix of a version counts as all of them: "22.3" as the end of a range includes 22.3.6.
bool in_driver_range(const std::string& driver, const std::string& from, const std::string& to) {
  if (from.empty() && to.empty()) return true;
  std::vector<unsigned long> version = version_in(driver);
  if (version.empty()) return false;
  if (!from.empty() && version < version_in(from)) return false;
  if (to.empty()) return true;
  const std::vector<unsigned long> last = version_in(to);
  version.resize(std::min(version.size(), last.size()));
  return version <= last;
}

void KnownIssues::judge(const std::string& id, const DeviceFacts& device, Status& status,
                        std::string& code, std::string& message) {
  for (const KnownIssue& issue : issues_) {
    if (!std::regex_search(id, issue.pattern) ||
        !std::regex_search(device.backend + ' ' + device.name, issue.device) ||
        !in_driver_range(device.driver, issue.driver_from, issue.driver_to)) {
      continue;
    }
    Seen& seen = seen_[issue.name];
    if (status == Status::Pass) {
      ++seen.passed;
      if (seen.example.empty()) seen.example = id;
      continue;
    }
    if (std::find(issue.statuses.begin(), issue.statuses.end(), status) == issue.statuses.end()) {
      continue;
    }
    if (issue.expires < today_) {
      ++seen.late;
      continue;
    }
    ++seen.shown;
    message = issue.name + ": " + issue.reason + " (" + std::string(status_name(status)) + ", " +
              code + ": " + message + ")";
    code = "known_issue";
    status = Status::Waived;
    return;
  }
}

std::vector<Event> KnownIssues::complaints() const {
  std::vector<Event> events;
  for (const KnownIssue& issue : issues_) {
    const auto found = seen_.find(issue.name);
    if (found == seen_.end()) continue;
    const Seen& seen = found->second;
    if (issue.expires < today_) {
      events.push_back({0, "known_issue_expired", "",
                        issue.name + " excuses nothing since " + issue.expires +
                            (seen.late > 0 ? " and still shows: mend it, or renew the entry"
                                           : ": take its entry away")});
    } else if (seen.shown == 0 && seen.passed > 0) {
      events.push_back({0, "known_issue_passed", seen.example,
                        issue.name + " did not show: " + count_of(seen.passed, "check") +
                            " passed, " + seen.example + " among them; mend its entry"});
    }
  }
  return events;
}

}  // namespace rotor
