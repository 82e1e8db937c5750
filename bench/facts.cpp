#include "bench/facts.h"

#include "reports/text.h"

namespace rotor {

DeviceFacts facts_of(const DeviceInfo& info, const ClockCheck& clock) {
  DeviceFacts facts;
  facts.id = info.id;
  facts.backend = backend_name(info.backend);
  facts.name = info.name;
  facts.kind = info.kind;
  facts.driver = info.driver;
  facts.api_version = info.api_version;
  facts.vendor_id = info.vendor_id;
  facts.device_id = info.device_id;
  facts.features = info.facts;
  facts.features["features"] = feature_list(info.features);
  if (info.backend == Backend::Cpu) {
    facts.features["threads"] = std::to_string(info.threads);
    facts.timer_period_ns = clock.step_s * 1e9;
    facts.timer_trusted = clock.trusted();
    facts.timer_check = std::to_string(clock.readings) +
                        " readings: " + std::to_string(clock.backwards) +
                        " backwards, smallest step " + show_seconds(clock.step_s) + ", " +
                        show_seconds(clock.reading_s) + " each";
  }
  return facts;
}

std::map<std::string, std::string> effective_options(const BenchOptions& options,
                                                     const std::string& model) {
  std::string filters;
  for (const std::string& f : options.filters) filters += (filters.empty() ? "" : " ") + f;
  return {{"suite", options.suite},
          {"filter", filters},
          {"device", options.device},
          {"model", model},
          {"kv", options.kv},
          {"budget_s", std::to_string(options.budget_s)},
          {"tuning", !options.tuning.use           ? "off"
                     : options.tuning.file.empty() ? "usual"
                                                   : options.tuning.file},
          {"verify_only", options.verify_only ? "true" : "false"},
          {"roofline",
           options.roofline.value_or(options.budget_s >= kLeastForRoofs) ? "true" : "false"},
          {"isolation", options.isolation ? "true" : "false"},
          {"prepare_timeout_s", std::to_string(options.prepare_timeout_s)},
          {"run_timeout_s", std::to_string(options.run_timeout_s)},
          {"known_issues", options.known_issues.empty() ? "built in" : options.known_issues},
          {"out", options.out}};
}

}  // namespace rotor
