#include "reports/journal.h"
#include "reports/json_machine.h"
#include "reports/json_models.h"
#include "reports/json_results.h"

namespace rotor {
namespace {

Json event_json(const Event& event) {
  return {{"t_s", as_seconds(event.t_s)},
          {"kind", event.kind},
          {"case_id", text_or_null(event.case_id)},
          {"detail", event.detail}};
}

Event read_event(const JsonReader& in) {
  return {in.get("t_s", 0.0), in.get<std::string>("kind"), in.text("case_id"), in.text("detail")};
}

Json summary_json(const Report& report) {
  std::map<std::string, unsigned> by_status;
  for (const CaseResult& r : report.results)
    ++by_status[std::string(status_name(r.verdict.status))];
  return {{"planned", report.results.size()},
          {"by_status", by_status},
          {"exit_code", report.summary.exit_code},
          {"exit_reason", report.summary.exit_reason},
          {"wall_s", as_seconds(report.summary.wall_s)}};
}

Summary read_summary(const JsonReader& in) {
  return {in.get("exit_code", 0), in.text("exit_reason"), in.get("wall_s", 0.0)};
}

Json product_json(const PublishedProduct& p) {
  return {{"run", p.run},
          {"backend", p.backend},
          {"shape", {{"n", p.n}, {"k", p.k}, {"batch", p.m}}},
          {"ns", as_nanoseconds(p.seconds)}};
}

// Seconds of a time in nanoseconds that must be one.
double read_time(const JsonReader& in, const char* key) {
  const double ns = in.get<double>(key);
  if (!(ns > 0)) in.at(key).fail("is not above zero");
  return ns * 1e-9;
}

PublishedProduct read_product(const JsonReader& in) {
  const JsonReader shape = in.at("shape");
  return {in.text("run"),
          in.get<std::string>("backend"),
          shape.get<std::uint32_t>("batch"),
          shape.get<std::uint32_t>("n"),
          shape.get<std::uint32_t>("k"),
          read_time(in, "ns")};
}

Json token_time_json(const PublishedTokenTime& t) {
  return {{"tokens", t.tokens},
          {"with_cache_ns", as_nanoseconds(t.with_cache_s)},
          {"without_cache_ns", as_nanoseconds(t.without_cache_s)}};
}

PublishedTokenTime read_token_time(const JsonReader& in) {
  return {in.get<std::uint32_t>("tokens"), read_time(in, "with_cache_ns"),
          read_time(in, "without_cache_ns")};
}

// Invalid UTF-8 (a path in argv, a driver's idea of its name) becomes U+FFFD.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// One element a line: a person can read it, and a diff shows which case changed.
template <typename T, typename Convert>
std::string dump_list(const std::vector<T>& values, Convert convert) {
  std::string out = "[";
  for (std::size_t i = 0; i < values.size(); ++i) {
    out += (i == 0 ? "\n  " : ",\n  ") + dump(convert(values[i]));
  }
  return out + (values.empty() ? "]" : "\n ]");
}

std::string write_publication(const Publication& published) {
  const Json format = {
      {"name", "rotor.report"}, {"version", kReportVersion}, {"kind", "published"}};
  return "{\n \"format\": " + dump(format) +
         ",\n \"published\": {\n \"machine\": " + dump(published.machine) +
         ",\n \"source\": " + dump(published.source) + ",\n \"notes\": " + dump(published.notes) +
         ",\n \"products\": " + dump_list(published.products, product_json) +
         ",\n \"tokens\": " + dump_list(published.tokens, token_time_json) + "\n }\n}\n";
}

Publication read_publication(const JsonReader& in) {
  // A member of a measured report beside it would be shown by nobody: refused, not ignored.
  for (const char* key : {"results", "battery", "kv_equivalence", "summary"}) {
    if (in.has(key)) in.at(key).fail("published figures have no results and no verdicts");
  }
  const JsonReader p = in.at("published");
  return {p.get<std::string>("machine"), p.get<std::string>("source"),
          p.get<std::vector<std::string>>("notes", {}), p.list("products", read_product),
          p.list("tokens", read_token_time)};
}

struct RecordWriter {
  Json operator()(const RunStart& start) const {
    Json devices = Json::array();
    for (const DeviceFacts& device : start.devices) devices.push_back(device_json(device));
    Json plan = Json::array();
    for (const CaseResult& result : start.plan) plan.push_back(result_json(result, {}));
    return {{"record", "run_start"},      {"version", kReportVersion},
            {"run", run_json(start.run)}, {"machine", machine_json(start.machine)},
            {"devices", devices},         {"plan", plan}};
  }
  Json operator()(const RowCheck& row) const { return wrap("row_check", row_check_json(row)); }
  Json operator()(const CaseResult& r) const { return wrap("visit", result_json(r, {})); }
  Json operator()(const KvResult& kv) const { return wrap("kv", kv_json(kv)); }
  Json operator()(const KvTiming& t) const { return wrap("kv_timing", kv_timing_json(t)); }
  Json operator()(const QualityResult& q) const { return wrap("quality", quality_json(q)); }
  Json operator()(const SamplerCheck& c) const { return wrap("sampler", sampler_check_json(c)); }
  Json operator()(const Roof& roof) const { return wrap("roof", roof_json(roof)); }
  Json operator()(const Event& event) const { return wrap("event", event_json(event)); }
  Json operator()(const SelfTestDone& done) const {
    return {{"record", "self_test"},
            {"kernels", count_json(done.kernels)},
            {"kv", count_json(done.kv)},
            {"gate", count_json(done.gate)}};
  }
  Json operator()(const RunEnd& end) const {
    return {{"record", "run_end"},
            {"ended_at", end.ended_at},
            {"complete", end.complete},
            {"power", power_json(end.power)},
            {"warnings", end.warnings},
            {"exit_code", end.summary.exit_code},
            {"exit_reason", end.summary.exit_reason},
            {"wall_s", as_seconds(end.summary.wall_s)}};
  }
  static Json wrap(const char* kind, Json value) {
    return {{"record", kind}, {"value", std::move(value)}};
  }
};

ParsedJson parse(std::string_view text, const std::string& name) {
  try {
    return ParsedJson::parse(text);
  } catch (const ParsedJson::parse_error& error) {
    throw FormatError(name + ": not JSON at byte " + std::to_string(error.byte));
  }
}

// Every minor version of major 1 is understood.
std::string read_version(const JsonReader& in, const char* key) {
  const std::string version = in.get<std::string>(key);
  if (!version.starts_with("1.")) {
    in.at(key).fail("format " + version + " is not known here; this program reads 1.x");
  }
  return version;
}

Record read_any(const JsonReader& in) {
  const std::string kind = in.get<std::string>("record");
  if (kind == "run_start") {
    read_version(in, "version");
    return RunStart{read_run(in.at("run")), read_machine_facts(in.at("machine")),
                    in.list("devices", read_device), in.list("plan", read_result)};
  }
  if (kind == "row_check") return read_row_check(in.at("value"));
  if (kind == "visit") return read_result(in.at("value"));
  if (kind == "kv") return read_kv(in.at("value"));
  if (kind == "kv_timing") return read_kv_timing(in.at("value"));
  if (kind == "quality") return read_quality(in.at("value"));
  if (kind == "sampler") return read_sampler_check(in.at("value"));
  if (kind == "roof") return read_roof(in.at("value"));
  if (kind == "event") return read_event(in.at("value"));
  if (kind == "self_test") {
    return SelfTestDone{read_count(in, "kernels"), read_count(in, "kv"), read_count(in, "gate")};
  }
  if (kind == "run_end") {
    return RunEnd{in.text("ended_at"), in.get("complete", false), read_power_state(in.at("power")),
                  in.get<std::vector<std::string>>("warnings", {}), read_summary(in)};
  }
  in.fail("unknown record \"" + kind + "\"");
}

}  // namespace

std::string write_record(const Record& record) {
  return dump(std::visit(RecordWriter{}, record));
}

Record read_record(std::string_view line, const std::string& name) {
  const ParsedJson json = parse(line, name);
  return read_any(JsonReader(json, name));
}

std::string write_json(const Report& report) {
  if (report.published) return write_publication(*report.published);
  const std::vector<std::optional<Derived>> derived = derive(report);
  std::size_t next = 0;
  const auto result = [&](const CaseResult& r) { return result_json(r, derived[next++]); };
  const Json format = {{"name", "rotor.report"}, {"version", kReportVersion}, {"kind", "measured"}};
  std::string out = "{\n \"format\": " + dump(format);
  out += ",\n \"run\": " + dump(run_json(report.run));
  out += ",\n \"machine\": " + dump(machine_json(report.machine));
  out += ",\n \"devices\": " + dump_list(report.devices, device_json);
  out += ",\n \"roofline\": " + dump_list(report.roofs, roof_json);
  out += ",\n \"battery\": " + dump_list(report.battery, row_check_json);
  out += ",\n \"results\": " + dump_list(report.results, result);
  out += ",\n \"kv_equivalence\": " + dump_list(report.kv, kv_json);
  out += ",\n \"kv_timing\": " + dump_list(report.kv_timings, kv_timing_json);
  out += ",\n \"quality\": " + dump_list(report.quality, quality_json);
  out += ",\n \"sampler\": " + dump_list(report.sampler_checks, sampler_check_json);
  out += ",\n \"events\": " + dump_list(report.events, event_json);
  return out + ",\n \"summary\": " + dump(summary_json(report)) + "\n}\n";
}

Report read_json(std::string_view text, const std::string& name) {
  const ParsedJson json = parse(text, name);
  const JsonReader in(json, name);
  if (in.at("format").text("name") != "rotor.report") in.fail("is not a report of rotor-bench");
  Report report;
  report.version = read_version(in.at("format"), "version");
  const std::string kind = in.at("format").get<std::string>("kind", "measured");
  if (kind == "published") {
    report.published = read_publication(in);
    return report;
  }
  if (kind != "measured") in.at("format").at("kind").fail("unknown name \"" + kind + "\"");
  if (in.has("published")) in.at("published").fail("a measured report has no published figures");
  report.run = read_run(in.at("run"));
  report.machine = read_machine_facts(in.at("machine"));
  report.devices = in.list("devices", read_device);
  report.roofs = in.list("roofline", read_roof);
  report.battery = in.list("battery", read_row_check);
  report.results = in.list("results", read_result);
  report.kv = in.list("kv_equivalence", read_kv);
  report.kv_timings = in.list("kv_timing", read_kv_timing);
  report.quality = in.list("quality", read_quality);
  report.sampler_checks = in.list("sampler", read_sampler_check);
  report.events = in.list("events", read_event);
  report.summary = read_summary(in.at("summary"));
  return report;
}

}  // namespace rotor
