#include <cmath>
#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "reports/journal.h"
#include "reports/report.h"

namespace rotor {
namespace {

using Json = nlohmann::json;

// A value and where it stands, so that a message can name the place.
class Reader {
 public:
  Reader(const Json& value, std::string place) : value_(value), place_(std::move(place)) {}

  [[noreturn]] void fail(const std::string& what) const { throw FormatError(place_ + ": " + what); }
  bool has(const char* key) const {
    const auto found = object().find(key);
    return found != value_.end() && !found->is_null();
  }
  // A member that must be there.
  Reader at(const char* key) const {
    if (!has(key)) fail(std::string("\"") + key + "\" is missing");
    return {value_.at(key), place_ + "." + key};
  }
  template <typename T>
  T get() const {
    try {
      return value_.get<T>();
    } catch (const Json::exception&) {
      fail(std::string("has the wrong type (") + value_.type_name() + ")");
    }
  }
  template <typename T>
  T get(const char* key) const {
    return at(key).get<T>();
  }
  template <typename T>
  T get(const char* key, T otherwise) const {
    return has(key) ? at(key).get<T>() : otherwise;
  }
  template <typename T>
  std::optional<T> optional(const char* key) const {
    return has(key) ? std::optional<T>(at(key).get<T>()) : std::nullopt;
  }
  std::string text(const char* key) const { return get<std::string>(key, ""); }

  // 64-bit numbers are hex strings, with or without "0x".
  std::uint64_t hex(const char* key) const {
    if (!has(key)) return 0;
    const std::string digits = get<std::string>(key);
    char* end = nullptr;
    const std::uint64_t number = std::strtoull(digits.c_str(), &end, 16);
    if (digits.empty() || *end != '\0') at(key).fail("is not a hexadecimal number: " + digits);
    return number;
  }
  // The name of an enumerator.
  template <typename T>
  T name(const char* key, std::optional<T> (*parse)(std::string_view)) const {
    const std::optional<T> value = parse(get<std::string>(key));
    if (!value) at(key).fail("unknown name \"" + get<std::string>(key) + "\"");
    return *value;
  }
  // Every element of an array that may be absent.
  template <typename Convert>
  auto list(const char* key, Convert convert) const {
    std::vector<decltype(convert(*this))> out;
    if (!has(key)) return out;
    const Reader array = at(key);
    if (!array.value_.is_array()) array.fail("is not an array");
    for (std::size_t i = 0; i < array.value_.size(); ++i) {
      out.push_back(convert(Reader(array.value_[i], array.place_ + "[" + std::to_string(i) + "]")));
    }
    return out;
  }
  // An object of scalars; other writers may keep numbers where we keep text.
  std::map<std::string, std::string> texts(const char* key) const {
    std::map<std::string, std::string> out;
    for (const auto& [name, value] : get<std::map<std::string, Json>>(key, {})) {
      out[name] = value.is_string() ? value.get<std::string>() : value.dump();
    }
    return out;
  }
  // Of the members of this object.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, value] : object().items()) out.push_back(name);
    return out;
  }
  std::map<std::string, double> numbers(const char* key) const {
    return get<std::map<std::string, double>>(key, {});
  }
  // Times in the unit of the file, as seconds.
  std::vector<double> times(const char* key, double seconds_per_unit) const {
    std::vector<double> out = get<std::vector<double>>(key, {});
    for (double& t : out) t *= seconds_per_unit;
    return out;
  }

 private:
  const Json& object() const {
    if (!value_.is_object()) fail("is not an object");
    return value_;
  }

  const Json& value_;
  std::string place_;
};

std::optional<MutantCount> read_count(const Reader& in, const char* key) {
  if (!in.has(key)) return std::nullopt;
  const Reader count = in.at(key);
  return MutantCount{count.get<std::uint32_t>("mutants"), count.get<std::uint32_t>("caught"),
                     count.get<std::vector<std::string>>("missed", {})};
}

BuildFacts read_build(const Reader& in) {
  return {in.text("version"),   in.text("git_commit"), in.get("git_dirty", false),
          in.text("compiler"),  in.text("build_type"), in.text("cxx_flags"),
          in.texts("libraries")};
}

Run read_run(const Reader& in) {
  Run run;
  run.id = in.text("id");
  run.started_at = in.text("started_at");
  run.ended_at = in.text("ended_at");
  run.complete = in.get("complete", false);
  run.resumed_from = in.text("resumed_from");
  run.argv = in.get<std::vector<std::string>>("argv", {});
  run.suite = in.text("suite");
  run.seed = in.hex("seed");
  run.build = read_build(in.at("rotor"));
  run.options = in.texts("options");
  run.context = in.texts("context");
  run.plan_hash = in.hex("plan_hash");
  run.self_test = read_count(in, "self_test");
  run.kv_self_test = read_count(in, "kv_self_test");
  run.gate_self_test = read_count(in, "gate_self_test");
  return run;
}

PowerState read_power_state(const Reader& in) {
  PowerState power;
  power.on_ac = in.optional<bool>("on_ac");
  power.governor = in.text("governor");
  power.profile = in.text("profile");
  power.cpu_temp_c = in.optional<double>("cpu_temp_c");
  power.gpu_temp_c = in.optional<double>("gpu_temp_c");
  power.load_avg_1m = in.optional<double>("load_avg_1m");
  power.battery_pct = in.optional<double>("battery_pct");
  return power;
}

CpuCache read_cache(const Reader& in) {
  return {in.get("level", 0u), in.text("type"), in.get<std::uint64_t>("bytes", 0),
          in.get("shared_by", 1u)};
}

Cpu read_cpu_facts(const Reader& in) {
  Cpu cpu;
  cpu.vendor = in.text("vendor");
  cpu.model = in.text("model");
  cpu.family = in.text("family");
  cpu.model_number = in.text("model_number");
  cpu.stepping = in.text("stepping");
  cpu.sockets = in.get("sockets", 0u);
  cpu.cores = in.get("cores", 0u);
  cpu.threads = in.get("threads", 0u);
  cpu.caches = in.list("caches", read_cache);
  cpu.flags = in.get<std::vector<std::string>>("flags", {});
  return cpu;
}

Machine read_machine_facts(const Reader& in) {
  Machine machine;
  machine.label = in.text("label");
  machine.hw_key = in.hex("hw_key");
  machine.sw_key = in.hex("sw_key");
  machine.os = in.at("os").text("name");
  machine.kernel = in.at("os").text("kernel");
  machine.cpu = read_cpu_facts(in.at("cpu"));
  machine.memory_bytes = in.at("memory").get<std::uint64_t>("total_bytes", 0);
  machine.virtualised = in.text("virtualised");
  machine.power_start = read_power_state(in.at("power_start"));
  if (in.has("power_end")) machine.power_end = read_power_state(in.at("power_end"));
  machine.warnings = in.get<std::vector<std::string>>("warnings", {});
  return machine;
}

DeviceFacts read_device(const Reader& in) {
  DeviceFacts device;
  device.id = in.get<std::string>("id");
  device.backend = in.get<std::string>("backend");
  device.name = in.text("name");
  device.kind = in.text("kind");
  device.driver = in.text("driver");
  device.api_version = in.text("api_version");
  device.vendor_id = in.text("vendor_id");
  device.device_id = in.text("device_id");
  device.features = in.texts("features");
  const Reader timer = in.at("timer");
  device.timer = timer.get<std::string>("source");
  device.timer_period_ns = timer.optional<double>("period_ns");
  device.timer_trusted = timer.get("trusted", true);
  device.timer_check = timer.text("check");
  return device;
}

Roof read_roof(const Reader& in) {
  Roof roof;
  roof.device = in.get<std::string>("device");
  roof.kind = in.get<std::string>("kind");
  roof.footprint_bytes = in.optional<std::uint64_t>("footprint_bytes");
  roof.at = in.get<std::string>("at");
  roof.median = in.get("median", std::numeric_limits<double>::quiet_NaN());
  roof.unit = in.get<std::string>("unit");
  roof.samples = in.get<std::vector<double>>("samples");
  roof.threads = in.optional<unsigned>("threads");
  return roof;
}

Case read_case(const Reader& in) {
  Case spec;
  spec.id = in.get<std::string>("id");
  spec.op = in.get<std::string>("op");
  spec.backend = in.get<std::string>("backend");
  spec.variant = in.get<std::string>("variant");
  const Reader shape = in.at("shape");
  spec.n = shape.get<std::uint32_t>("n");
  spec.k = shape.get<std::uint32_t>("k");
  spec.m = shape.get<std::uint32_t>("batch");
  if (in.has("params")) {
    spec.seed = in.at("params").hex("seed");
    spec.hot = in.at("params").text("cache") == "hot";
  }
  return spec;
}

Mismatch read_mismatch(const Reader& in) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {in.get<std::uint32_t>("row"), in.get<std::uint32_t>("col"), in.get("want", nan),
          in.get("got", nan)};
}

CheckedInput read_input(const Reader& in) {
  return {in.get<std::string>("dist"), in.hex("seed"), in.hex("digest"),
          in.get<std::uint64_t>("mismatches", 0)};
}

// `in` holds status, reason and verify.
Verdict read_verdict(const Reader& in) {
  Verdict verdict;
  verdict.status = in.name("status", parse_status);
  if (in.has("reason")) {
    verdict.reason_code = in.at("reason").get<std::string>("code");
    verdict.message = in.at("reason").get<std::string>("message");
  }
  if (!in.has("verify")) return verdict;
  const Reader v = in.at("verify");
  verdict.criterion = v.name("criterion", parse_criterion);
  verdict.reference = v.text("reference");
  verdict.proof = v.text("proof");
  verdict.inputs = v.list("inputs", read_input);
  verdict.checked = v.get<std::uint64_t>("checked");
  verdict.sampled = v.get("sampled", false);
  verdict.mismatches = v.get<std::uint64_t>("mismatches");
  verdict.first = v.list("first", read_mismatch);
  verdict.max_abs = v.get("max_abs", std::numeric_limits<double>::quiet_NaN());
  verdict.max_over_bound = v.optional<double>("max_over_bound");
  verdict.bound = v.text("bound");
  verdict.poison_cleared = v.get("poison_cleared", false);
  verdict.guards_intact = v.get("guards_intact", false);
  verdict.inputs_unchanged = v.get("inputs_unchanged", false);
  verdict.repeat_bitwise_equal = v.get("repeat_bitwise_equal", false);
  verdict.timed_output_verified = v.get("timed_output_verified", false);
  verdict.output_digest = v.hex("output_digest");
  return verdict;
}

Measurement read_measurement(const Reader& in) {
  Measurement m;
  m.clock = in.get<std::string>("clock");
  m.cold = in.get<std::string>("cache") != "hot";
  m.rotate_buffers = in.get("rotate_buffers", 1u);
  m.warmup_launches = in.get("warmup_launches", 0u);
  m.launches_per_sample = in.get("launches_per_sample", 1u);
  m.samples_s = in.times("samples_ns", 1e-9);
  m.host_samples_s = in.times("host_samples_ns", 1e-9);
  m.offsets_s = in.times("offsets_ms", 1e-3);
  m.visits = in.get<std::vector<std::uint32_t>>("visits", {});
  m.stop = in.name("stop", parse_stop);
  const Reader work = in.at("work");
  m.macs = work.get<std::uint64_t>("macs");
  m.min_bytes = work.get<std::uint64_t>("min_bytes");
  m.weight_bytes = work.get<std::uint64_t>("weight_bytes", 0);
  if (m.samples_s.empty()) in.fail("has no samples");
  for (const double s : m.samples_s) {
    if (!(s > 0)) in.fail("holds a time that is not above zero");
  }
  return m;
}

CaseResult read_result(const Reader& in) {
  CaseResult result;
  result.spec = read_case(in.at("case"));
  result.device = in.get<std::string>("device");
  result.verdict = read_verdict(in);
  if (in.has("perf")) result.measurement = read_measurement(in.at("perf"));
  if (result.measurement && is_wrong(result.verdict.status)) {
    in.fail("a time for a kernel that failed its check");
  }
  for (const auto& [phase, ms] : in.numbers("phases_ms")) result.phases_s[phase] = ms * 1e-3;
  result.start_s = in.get("t_start_s", 0.0);
  result.end_s = in.get("t_end_s", 0.0);
  result.attempts = in.get("attempts", 1u);
  result.repro = in.text("repro");
  result.chosen = in.get("chosen", false);
  return result;
}

RowCheck read_row_check(const Reader& in) {
  return {in.get<std::string>("variant"), in.text("op"),
          in.get<std::string>("device"),  read_verdict(in),
          in.get("seconds", 0.0),         in.text("repro")};
}

KvResult read_kv(const Reader& in) {
  KvResult kv;
  kv.id = in.get<std::string>("id");
  kv.device = in.get<std::string>("device");
  kv.mode = in.get<std::string>("mode");
  kv.variant = in.get<std::string>("variant");
  kv.status = in.name("status", parse_status);
  if (in.has("reason")) {
    kv.reason_code = in.at("reason").get<std::string>("code");
    kv.message = in.at("reason").get<std::string>("message");
  }
  kv.positions = in.get<std::uint32_t>("positions");
  kv.attn_max_rel = in.optional<double>("attn_max_rel");
  kv.kv_rows_unequal = in.optional<std::uint64_t>("kv_rows_unequal");
  kv.logit_median_rel = in.optional<double>("logit_median_rel");
  kv.logit_max_rel = in.optional<double>("logit_max_rel");
  kv.int8_flip_rate = in.optional<double>("int8_flip_rate");
  kv.tokens_equal = in.optional<std::uint32_t>("tokens_equal");
  if (in.has("first_divergence")) {
    kv.first_divergence = in.at("first_divergence").optional<std::uint32_t>("position");
  }
  kv.tolerance = in.numbers("tolerance");
  return kv;
}

KvTiming read_kv_timing(const Reader& in) {
  const auto device = [&](const char* key) {
    return in.has(key) ? std::optional(in.get<double>(key) * 1e-9) : std::nullopt;
  };
  return {in.text("model"),
          in.text("device"),
          in.get<std::uint32_t>("position"),
          in.text("format"),
          in.get<double>("with_cache_ns") * 1e-9,
          in.get<double>("without_cache_ns") * 1e-9,
          in.times("with_cache_samples_ns", 1e-9),
          in.times("without_cache_samples_ns", 1e-9),
          device("with_cache_device_ns"),
          device("without_cache_device_ns")};
}

TextScore read_text_score(const Reader& in) {
  return {in.text("name"), in.get<std::uint32_t>("tokens"), in.get<double>("nll"),
          in.get("seconds", 0.0)};
}

ChatScore read_chat_score(const Reader& in) {
  ChatScore chats;
  for (const std::string& name : in.at("topics").names()) {
    const Reader topic = in.at("topics").at(name.c_str());
    chats.topics[name] = {topic.get<std::uint32_t>("asked"), topic.get<std::uint32_t>("right")};
  }
  chats.wrong = in.list("wrong", [](const Reader& w) {
    return ChatScore::Wrong{w.text("question"), w.text("expected"), w.text("answer")};
  });
  chats.answer_tokens = in.get<std::uint32_t>("answer_tokens", 0);
  chats.seconds = in.get("seconds", 0.0);
  return chats;
}

StrategyScore read_strategy(const Reader& in) {
  return {in.get<std::string>("name"),
          in.get<std::uint32_t>("texts"),
          in.get<std::uint32_t>("tokens"),
          in.get<std::vector<double>>("distinct"),
          in.get<std::uint32_t>("longest_repeat"),
          in.times("token_ns", 1e-9),
          in.times("draw_samples_ns", 1e-9)};
}

QualityResult read_quality(const Reader& in) {
  QualityResult quality;
  quality.id = in.get<std::string>("id");
  quality.device = in.get<std::string>("device");
  quality.model = in.text("model");
  quality.kv = in.text("kv");
  quality.head = in.text("head");
  quality.status = in.name("status", parse_status);
  if (in.has("reason")) {
    quality.reason_code = in.at("reason").get<std::string>("code");
    quality.message = in.at("reason").get<std::string>("message");
  }
  if (in.has("text")) quality.text = read_text_score(in.at("text"));
  if (in.has("chats")) quality.chats = read_chat_score(in.at("chats"));
  quality.strategies = in.list("strategies", read_strategy);
  return quality;
}

SamplerCheck read_sampler_check(const Reader& in) {
  SamplerCheck check;
  check.filter = in.get<std::string>("filter");
  check.seed = in.hex("seed");
  check.status = in.name("status", parse_status);
  if (in.has("reason")) {
    check.reason_code = in.at("reason").get<std::string>("code");
    check.message = in.at("reason").get<std::string>("message");
  }
  check.draws = in.get<std::uint64_t>("draws");
  check.kept = in.get<std::uint32_t>("kept");
  check.impossible = in.get<std::uint64_t>("impossible");
  check.chi_square = in.get<double>("chi_square");
  check.freedom = in.get<std::uint32_t>("freedom");
  check.p_value = in.get<double>("p_value");
  return check;
}

Event read_event(const Reader& in) {
  return {in.get("t_s", 0.0), in.get<std::string>("kind"), in.text("case_id"), in.text("detail")};
}

Summary read_summary(const Reader& in) {
  return {in.get("exit_code", 0), in.text("exit_reason"), in.get("wall_s", 0.0)};
}

// Seconds of a time in nanoseconds that must be one.
double read_time(const Reader& in, const char* key) {
  const double ns = in.get<double>(key);
  if (!(ns > 0)) in.at(key).fail("is not above zero");
  return ns * 1e-9;
}

PublishedProduct read_product(const Reader& in) {
  const Reader shape = in.at("shape");
  return {in.text("run"),
          in.get<std::string>("backend"),
          shape.get<std::uint32_t>("batch"),
          shape.get<std::uint32_t>("n"),
          shape.get<std::uint32_t>("k"),
          read_time(in, "ns")};
}

PublishedTokenTime read_token_time(const Reader& in) {
  return {in.get<std::uint32_t>("tokens"), read_time(in, "with_cache_ns"),
          read_time(in, "without_cache_ns")};
}

Publication read_publication(const Reader& in) {
  // A member of a measured report beside it would be shown by nobody: refused, not ignored.
  for (const char* key : {"results", "battery", "kv_equivalence", "summary"}) {
    if (in.has(key)) in.at(key).fail("published figures have no results and no verdicts");
  }
  const Reader p = in.at("published");
  return {p.get<std::string>("machine"), p.get<std::string>("source"),
          p.get<std::vector<std::string>>("notes", {}), p.list("products", read_product),
          p.list("tokens", read_token_time)};
}

Json parse(std::string_view text, const std::string& name) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw FormatError(name + ": not JSON at byte " + std::to_string(error.byte));
  }
}

// Every minor version of major 1 is understood.
std::string read_version(const Reader& in, const char* key) {
  const std::string version = in.get<std::string>(key);
  if (!version.starts_with("1.")) {
    in.at(key).fail("format " + version + " is not known here; this program reads 1.x");
  }
  return version;
}

Record read_any(const Reader& in) {
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

Record read_record(std::string_view line, const std::string& name) {
  const Json json = parse(line, name);
  return read_any(Reader(json, name));
}

Report read_json(std::string_view text, const std::string& name) {
  const Json json = parse(text, name);
  const Reader in(json, name);
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
