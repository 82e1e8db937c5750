#include <cmath>
#include <nlohmann/json.hpp>

#include "core/stats.h"
#include "reports/journal.h"
#include "reports/report.h"

namespace rotor {
namespace {

using Json = nlohmann::ordered_json;

std::string hex_seed(std::uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

// Strict JSON has no NaN and no infinity.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
Json number(const std::optional<double>& value) {
  return value ? number(*value) : Json(nullptr);
}
Json finite_numbers(const std::map<std::string, double>& values) {
  Json out = Json::object();
  for (const auto& [name, value] : values) {
    if (std::isfinite(value)) out[name] = value;
  }
  return out;
}
Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

// Times with a picosecond's resolution: shorter to read than 17 digits, finer than any clock.
double nanoseconds(double seconds) {
  return std::round(seconds * 1e12) / 1e3;
}
double milliseconds(double seconds) {
  return std::round(seconds * 1e9) / 1e6;
}
double rounded_seconds(double seconds) {
  return std::round(seconds * 1e6) / 1e6;
}

template <typename Convert>
Json list(const std::vector<double>& values, Convert convert) {
  Json out = Json::array();
  for (const double v : values) out.push_back(number(convert(v)));
  return out;
}

Json count_json(const std::optional<MutantCount>& count) {
  if (!count) return nullptr;
  return {{"mutants", count->mutants}, {"caught", count->caught}, {"missed", count->missed}};
}

Json build_json(const BuildFacts& build) {
  static const std::vector<std::string> known = {"Release", "RelWithDebInfo", "Debug",
                                                 "MinSizeRel"};
  const bool is_known = std::find(known.begin(), known.end(), build.type) != known.end();
  return {{"version", build.version},
          {"git_commit", build.commit},
          {"git_dirty", build.dirty},
          {"compiler", build.compiler},
          {"build_type", is_known ? build.type : "unknown"},
          {"cxx_flags", build.flags},
          {"libraries", build.libraries}};
}

Json run_json(const Run& run) {
  return {{"id", run.id},
          {"started_at", run.started_at},
          {"ended_at", text_or_null(run.ended_at)},
          {"complete", run.complete},
          {"resumed_from", text_or_null(run.resumed_from)},
          {"argv", run.argv},
          {"suite", run.suite},
          {"seed", hex_seed(run.seed)},
          {"rotor", build_json(run.build)},
          {"options", run.options},
          {"context", run.context},
          {"plan_hash", hex_key(run.plan_hash)},
          {"self_test", count_json(run.self_test)},
          {"kv_self_test", count_json(run.kv_self_test)},
          {"gate_self_test", count_json(run.gate_self_test)}};
}

Json power_json(const PowerState& power) {
  return {{"on_ac", or_null(power.on_ac)},           {"governor", text_or_null(power.governor)},
          {"profile", text_or_null(power.profile)},  {"cpu_temp_c", number(power.cpu_temp_c)},
          {"gpu_temp_c", number(power.gpu_temp_c)},  {"load_avg_1m", number(power.load_avg_1m)},
          {"battery_pct", number(power.battery_pct)}};
}

Json cpu_json(const Cpu& cpu) {
  Json caches = Json::array();
  for (const CpuCache& cache : cpu.caches) {
    caches.push_back({{"level", cache.level},
                      {"type", cache.type},
                      {"bytes", cache.bytes},
                      {"shared_by", cache.shared_by}});
  }
  return {{"vendor", cpu.vendor},     {"model", cpu.model},
          {"family", cpu.family},     {"model_number", cpu.model_number},
          {"stepping", cpu.stepping}, {"sockets", cpu.sockets},
          {"cores", cpu.cores},       {"threads", cpu.threads},
          {"caches", caches},         {"flags", cpu.flags}};
}

Json machine_json(const Machine& machine) {
  Json out = {{"label", machine.label},
              {"hw_key", hex_key(machine.hw_key)},
              {"sw_key", hex_key(machine.sw_key)},
              {"os", {{"name", machine.os}, {"kernel", machine.kernel}}},
              {"cpu", cpu_json(machine.cpu)},
              {"memory", {{"total_bytes", machine.memory_bytes}}},
              {"virtualised", text_or_null(machine.virtualised)},
              {"power_start", power_json(machine.power_start)}};
  if (machine.power_end) out["power_end"] = power_json(*machine.power_end);
  out["warnings"] = machine.warnings;
  return out;
}

Json device_json(const DeviceFacts& device) {
  return {{"id", device.id},
          {"backend", device.backend},
          {"name", device.name},
          {"vendor_id", text_or_null(device.vendor_id)},
          {"device_id", text_or_null(device.device_id)},
          {"driver", text_or_null(device.driver)},
          {"api_version", text_or_null(device.api_version)},
          {"kind", text_or_null(device.kind)},
          {"features", device.features},
          {"timer",
           {{"source", device.timer},
            {"period_ns", number(device.timer_period_ns)},
            {"trusted", device.timer_trusted},
            {"check", device.timer_check}}}};
}

Json roof_json(const Roof& roof) {
  return {{"device", roof.device},
          {"kind", roof.kind},
          {"footprint_bytes", or_null(roof.footprint_bytes)},
          {"at", roof.at},
          {"median", number(roof.median)},
          {"unit", roof.unit},
          {"threads", or_null(roof.threads)},
          {"samples", list(roof.samples, [](double v) { return v; })}};
}

Json case_json(const Case& spec) {
  return {{"id", spec.id},
          {"key", hex_key(case_key(spec))},
          {"op", spec.op},
          {"backend", spec.backend},
          {"variant", spec.variant},
          {"shape", {{"n", spec.n}, {"k", spec.k}, {"batch", spec.m}}},
          {"params", {{"seed", hex_seed(spec.seed)}, {"cache", spec.hot ? "hot" : "cold_rotate"}}}};
}

Json reason_json(const std::string& code, const std::string& message) {
  if (code.empty()) return nullptr;
  return {{"code", code}, {"message", message}};
}

Json verdict_json(const Verdict& verdict) {
  if (verdict.inputs.empty() || verdict.checked == 0) return nullptr;  // nothing was compared
  Json inputs = Json::array();
  for (const CheckedInput& input : verdict.inputs) {
    inputs.push_back({{"dist", input.distribution},
                      {"seed", hex_seed(input.seed)},
                      {"digest", hex_key(input.digest)},
                      {"mismatches", input.mismatches}});
  }
  Json first = Json::array();
  for (const Mismatch& m : verdict.first) {
    first.push_back(
        {{"row", m.row}, {"col", m.col}, {"want", number(m.want)}, {"got", number(m.got)}});
  }
  return {{"criterion", criterion_name(verdict.criterion)},
          {"reference", verdict.reference},
          {"proof", text_or_null(verdict.proof)},
          {"inputs", inputs},
          {"checked", verdict.checked},
          {"sampled", verdict.sampled},
          {"mismatches", verdict.mismatches},
          {"first", first},
          {"max_abs", number(verdict.max_abs)},
          {"max_over_bound", number(verdict.max_over_bound)},
          {"bound", text_or_null(verdict.bound)},
          {"poison_cleared", verdict.poison_cleared},
          {"guards_intact", verdict.guards_intact},
          {"inputs_unchanged", verdict.inputs_unchanged},
          {"repeat_bitwise_equal", verdict.repeat_bitwise_equal},
          {"timed_output_verified", verdict.timed_output_verified},
          {"output_digest", hex_key(verdict.output_digest)}};
}

Json stats_json(const std::vector<double>& samples) {
  const auto ns_at = [&](double q) { return nanoseconds(quantile(samples, q)); };
  const auto [low, high] = median_interval(samples, 0.95);
  return {{"min", ns_at(0)},
          {"q1", ns_at(0.25)},
          {"median", ns_at(0.5)},
          {"q3", ns_at(0.75)},
          {"max", ns_at(1)},
          {"mad", nanoseconds(median_absolute_deviation(samples))},
          {"n", samples.size()},
          {"median_ci95", {nanoseconds(low), nanoseconds(high)}},
          {"trend_pct", 100 * relative_trend(samples)}};
}

Json perf_json(const Measurement& measured, const std::optional<Derived>& derived) {
  Json out = {{"clock", measured.clock},
              {"cache", measured.cold ? "cold_rotate" : "hot"},
              {"rotate_buffers", measured.rotate_buffers},
              {"warmup_launches", measured.warmup_launches},
              {"launches_per_sample", measured.launches_per_sample},
              {"samples_ns", list(measured.samples_s, nanoseconds)},
              {"host_samples_ns", list(measured.host_samples_s, nanoseconds)},
              {"offsets_ms", list(measured.offsets_s, milliseconds)},
              {"visits", measured.visits},
              {"stop", stop_name(measured.stop)},
              {"stats", stats_json(measured.samples_s)},
              {"work",
               {{"macs", measured.macs},
                {"min_bytes", measured.min_bytes},
                {"weight_bytes", measured.weight_bytes}}}};
  if (derived) {
    out["derived"] = {{"ops_per_s", number(derived->ops_per_s)},
                      {"bytes_per_s", number(derived->bytes_per_s)},
                      {"speedup_over_dense", number(derived->speedup)},
                      {"noisy", derived->noisy}};
    if (derived->limit) {
      out["derived"]["roof_ns"] = nanoseconds(derived->limit->seconds);
      out["derived"]["limiter"] = limiter_name(derived->limit->limiter);
      out["derived"]["efficiency"] = number(derived->share);
      out["derived"]["above_roof"] = derived->above_roof;
    }
  }
  return out;
}

// The schema wants at least one sample, all of them finite and above zero.
bool is_representable(const Measurement& measured) {
  const auto fits = [](double s) { return std::isfinite(s) && nanoseconds(s) > 0; };
  return !measured.samples_s.empty() &&
         std::all_of(measured.samples_s.begin(), measured.samples_s.end(), fits);
}

Json result_json(const CaseResult& result, const std::optional<Derived>& derived) {
  const Verdict& verdict = result.verdict;
  Json out = {{"case", case_json(result.spec)},
              {"device", result.device},
              {"status", status_name(verdict.status)},
              {"reason", reason_json(verdict.reason_code, verdict.message)},
              {"attempts", result.attempts},
              {"t_start_s", rounded_seconds(result.start_s)},
              {"t_end_s", rounded_seconds(result.end_s)},
              {"repro", result.repro},
              {"verify", verdict_json(verdict)},
              {"perf", nullptr}};
  if (result.chosen) out["chosen"] = true;
  if (result.measurement && is_representable(*result.measurement)) {
    out["perf"] = perf_json(*result.measurement, derived);
  } else if (result.measurement) {
    out["status"] = status_name(Status::Error);
    out["reason"] = reason_json("non_finite", "a time was zero or not a finite number");
  }
  Json phases = Json::object();
  for (const auto& [phase, seconds] : result.phases_s) phases[phase] = milliseconds(seconds);
  out["phases_ms"] = phases;
  return out;
}

Json row_check_json(const RowCheck& row) {
  return {{"variant", row.variant},
          {"op", row.op},
          {"device", row.device},
          {"status", status_name(row.verdict.status)},
          {"reason", reason_json(row.verdict.reason_code, row.verdict.message)},
          {"seconds", rounded_seconds(row.seconds)},
          {"repro", row.repro},
          {"verify", verdict_json(row.verdict)}};
}

Json kv_json(const KvResult& kv) {
  Json divergence = nullptr;
  if (kv.first_divergence) divergence = {{"position", *kv.first_divergence}};
  return {{"id", kv.id},
          {"device", kv.device},
          {"status", status_name(kv.status)},
          {"reason", reason_json(kv.reason_code, kv.message)},
          {"mode", kv.mode},
          {"variant", kv.variant},
          {"positions", kv.positions},
          {"attn_max_rel", number(kv.attn_max_rel)},
          {"kv_rows_unequal", or_null(kv.kv_rows_unequal)},
          {"logit_median_rel", number(kv.logit_median_rel)},
          {"logit_max_rel", number(kv.logit_max_rel)},
          {"int8_flip_rate", number(kv.int8_flip_rate)},
          {"tokens_equal", or_null(kv.tokens_equal)},
          {"first_divergence", divergence},
          {"tolerance", finite_numbers(kv.tolerance)}};
}

Json kv_timing_json(const KvTiming& t) {
  Json json = {{"model", t.model},
               {"device", t.device},
               {"position", t.position},
               {"format", t.format},
               {"with_cache_ns", nanoseconds(t.with_cache_s)},
               {"without_cache_ns", nanoseconds(t.without_cache_s)},
               {"with_cache_samples_ns", list(t.with_cache_samples_s, nanoseconds)},
               {"without_cache_samples_ns", list(t.without_cache_samples_s, nanoseconds)}};
  if (t.with_cache_device_s) json["with_cache_device_ns"] = nanoseconds(*t.with_cache_device_s);
  if (t.without_cache_device_s) {
    json["without_cache_device_ns"] = nanoseconds(*t.without_cache_device_s);
  }
  return json;
}

Json text_score_json(const TextScore& text) {
  return {{"name", text.name},
          {"tokens", text.tokens},
          {"nll", number(text.nll)},
          {"perplexity", number(std::exp(text.nll))},
          {"seconds", rounded_seconds(text.seconds)}};
}

Json chat_score_json(const ChatScore& chats) {
  Json topics = Json::object();
  for (const auto& [name, topic] : chats.topics) {
    topics[name] = {{"asked", topic.asked}, {"right", topic.right}};
  }
  Json wrong = Json::array();
  for (const ChatScore::Wrong& w : chats.wrong) {
    wrong.push_back({{"question", w.question}, {"expected", w.expected}, {"answer", w.answer}});
  }
  const ChatScore::Topic all = chats.total();
  return {{"asked", all.asked},
          {"right", all.right},
          {"share_right", number(static_cast<double>(all.right) / all.asked)},
          {"topics", topics},
          {"wrong", wrong},
          {"answer_tokens", chats.answer_tokens},
          {"seconds", rounded_seconds(chats.seconds)}};
}

Json strategy_json(const StrategyScore& strategy) {
  return {{"name", strategy.name},
          {"texts", strategy.texts},
          {"tokens", strategy.tokens},
          {"distinct", list(strategy.distinct, [](double share) { return share; })},
          {"longest_repeat", strategy.longest_repeat},
          {"token_ns", list(strategy.token_s, nanoseconds)},
          {"draw_samples_ns", list(strategy.draw_samples_s, nanoseconds)}};
}

Json quality_json(const QualityResult& quality) {
  Json strategies = Json::array();
  for (const StrategyScore& s : quality.strategies) strategies.push_back(strategy_json(s));
  return {{"id", quality.id},
          {"device", quality.device},
          {"model", quality.model},
          {"kv", quality.kv},
          {"head", text_or_null(quality.head)},
          {"status", status_name(quality.status)},
          {"reason", reason_json(quality.reason_code, quality.message)},
          {"text", quality.text ? text_score_json(*quality.text) : Json(nullptr)},
          {"chats", quality.chats ? chat_score_json(*quality.chats) : Json(nullptr)},
          {"strategies", strategies}};
}

Json sampler_check_json(const SamplerCheck& check) {
  return {{"filter", check.filter},
          {"seed", hex_seed(check.seed)},
          {"status", status_name(check.status)},
          {"reason", reason_json(check.reason_code, check.message)},
          {"draws", check.draws},
          {"kept", check.kept},
          {"impossible", check.impossible},
          {"chi_square", number(check.chi_square)},
          {"freedom", check.freedom},
          {"p_value", number(check.p_value)}};
}

Json event_json(const Event& event) {
  return {{"t_s", rounded_seconds(event.t_s)},
          {"kind", event.kind},
          {"case_id", text_or_null(event.case_id)},
          {"detail", event.detail}};
}

Json summary_json(const Report& report) {
  std::map<std::string, unsigned> by_status;
  for (const CaseResult& r : report.results)
    ++by_status[std::string(status_name(r.verdict.status))];
  return {{"planned", report.results.size()},
          {"by_status", by_status},
          {"exit_code", report.summary.exit_code},
          {"exit_reason", report.summary.exit_reason},
          {"wall_s", rounded_seconds(report.summary.wall_s)}};
}

Json product_json(const PublishedProduct& p) {
  return {{"run", p.run},
          {"backend", p.backend},
          {"shape", {{"n", p.n}, {"k", p.k}, {"batch", p.m}}},
          {"ns", nanoseconds(p.seconds)}};
}

Json token_time_json(const PublishedTokenTime& t) {
  return {{"tokens", t.tokens},
          {"with_cache_ns", nanoseconds(t.with_cache_s)},
          {"without_cache_ns", nanoseconds(t.without_cache_s)}};
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
            {"wall_s", rounded_seconds(end.summary.wall_s)}};
  }
  static Json wrap(const char* kind, Json value) {
    return {{"record", kind}, {"value", std::move(value)}};
  }
};

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

}  // namespace

std::string write_record(const Record& record) {
  return dump(std::visit(RecordWriter{}, record));
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

}  // namespace rotor
