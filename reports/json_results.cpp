#include "reports/json_results.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/stats.h"
#include "reports/journal.h"

namespace rotor {
namespace {

Json shape_json(const Case& spec) {
  Json shape = {{"n", spec.n}, {"k", spec.k}, {"batch", spec.m}};
  if (const auto& layers = spec.layers) {
    shape["layers"] = layers->layers;
    shape["ffn"] = layers->ffn;
    shape["heads"] = layers->heads;
    shape["kv_heads"] = layers->kv_heads;
    shape["head_dim"] = layers->head_dim;
    shape["position"] = layers->position;
  }
  return shape;
}

Json case_json(const Case& spec) {
  return {{"id", spec.id},
          {"key", hex_key(case_key(spec))},
          {"op", spec.op},
          {"backend", spec.backend},
          {"variant", spec.variant},
          {"shape", shape_json(spec)},
          {"params", {{"seed", hex_seed(spec.seed)}, {"cache", spec.hot ? "hot" : "cold_rotate"}}}};
}

Case read_case(const JsonReader& in) {
  Case spec;
  spec.id = in.get<std::string>("id");
  spec.op = in.get<std::string>("op");
  spec.backend = in.get<std::string>("backend");
  spec.variant = in.get<std::string>("variant");
  const JsonReader shape = in.at("shape");
  spec.n = shape.get<std::uint32_t>("n");
  spec.k = shape.get<std::uint32_t>("k");
  spec.m = shape.get<std::uint32_t>("batch");
  if (shape.has("layers")) {
    const auto size = [&](const char* name) { return shape.get<std::uint32_t>(name); };
    spec.layers = LayersShape{size("layers"),   size("ffn"),      size("heads"),
                              size("kv_heads"), size("head_dim"), size("position")};
  }
  if (in.has("params")) {
    spec.seed = in.at("params").hex("seed");
    spec.hot = in.at("params").text("cache") == "hot";
  }
  return spec;
}

Mismatch read_mismatch(const JsonReader& in) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {in.get<std::uint32_t>("row"), in.get<std::uint32_t>("col"), in.get("want", nan),
          in.get("got", nan)};
}

CheckedInput read_input(const JsonReader& in) {
  return {in.get<std::string>("dist"), in.hex("seed"), in.hex("digest"),
          in.get<std::uint64_t>("mismatches", 0)};
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
    first.push_back({{"row", m.row},
                     {"col", m.col},
                     {"want", json_number(m.want)},
                     {"got", json_number(m.got)}});
  }
  return {{"criterion", criterion_name(verdict.criterion)},
          {"reference", verdict.reference},
          {"proof", text_or_null(verdict.proof)},
          {"inputs", inputs},
          {"checked", verdict.checked},
          {"sampled", verdict.sampled},
          {"mismatches", verdict.mismatches},
          {"first", first},
          {"max_abs", json_number(verdict.max_abs)},
          {"max_over_bound", json_number(verdict.max_over_bound)},
          {"bound", text_or_null(verdict.bound)},
          {"poison_cleared", verdict.poison_cleared},
          {"guards_intact", verdict.guards_intact},
          {"inputs_unchanged", verdict.inputs_unchanged},
          {"repeat_bitwise_equal", verdict.repeat_bitwise_equal},
          {"timed_output_verified", verdict.timed_output_verified},
          {"output_digest", hex_key(verdict.output_digest)}};
}

// `in` holds status, reason and verify.
Verdict read_verdict(const JsonReader& in) {
  Verdict verdict;
  verdict.status = in.name("status", parse_status);
  read_reason(in, verdict.reason_code, verdict.message);
  if (!in.has("verify")) return verdict;
  const JsonReader v = in.at("verify");
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

Json stats_json(const std::vector<double>& samples) {
  const auto ns_at = [&](double q) { return as_nanoseconds(quantile(samples, q)); };
  const auto [low, high] = median_interval(samples, 0.95);
  return {{"min", ns_at(0)},
          {"q1", ns_at(0.25)},
          {"median", ns_at(0.5)},
          {"q3", ns_at(0.75)},
          {"max", ns_at(1)},
          {"mad", as_nanoseconds(median_absolute_deviation(samples))},
          {"n", samples.size()},
          {"median_ci95", {as_nanoseconds(low), as_nanoseconds(high)}},
          {"trend_pct", 100 * relative_trend(samples)}};
}

Json perf_json(const Measurement& measured, const std::optional<Derived>& derived) {
  Json out = {{"clock", measured.clock},
              {"cache", measured.cold ? "cold_rotate" : "hot"},
              {"rotate_buffers", measured.rotate_buffers},
              {"warmup_launches", measured.warmup_launches},
              {"launches_per_sample", measured.launches_per_sample},
              {"samples_ns", json_list(measured.samples_s, as_nanoseconds)},
              {"host_samples_ns", json_list(measured.host_samples_s, as_nanoseconds)},
              {"offsets_ms", json_list(measured.offsets_s, as_milliseconds)},
              {"visits", measured.visits},
              {"stop", stop_name(measured.stop)},
              {"stats", stats_json(measured.samples_s)},
              {"work",
               {{"macs", measured.macs},
                {"min_bytes", measured.min_bytes},
                {"weight_bytes", measured.weight_bytes}}}};
  if (derived) {
    out["derived"] = {{"ops_per_s", json_number(derived->ops_per_s)},
                      {"bytes_per_s", json_number(derived->bytes_per_s)},
                      {"speedup_over_dense", json_number(derived->speedup)},
                      {"noisy", derived->noisy}};
    if (derived->limit) {
      out["derived"]["roof_ns"] = as_nanoseconds(derived->limit->seconds);
      out["derived"]["limiter"] = limiter_name(derived->limit->limiter);
      out["derived"]["efficiency"] = json_number(derived->share);
      out["derived"]["above_roof"] = derived->above_roof;
    }
  }
  return out;
}

Measurement read_measurement(const JsonReader& in) {
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
  const JsonReader work = in.at("work");
  m.macs = work.get<std::uint64_t>("macs");
  m.min_bytes = work.get<std::uint64_t>("min_bytes");
  m.weight_bytes = work.get<std::uint64_t>("weight_bytes", 0);
  if (m.samples_s.empty()) in.fail("has no samples");
  for (const double s : m.samples_s) {
    if (!(s > 0)) in.fail("holds a time that is not above zero");
  }
  return m;
}

// The schema wants at least one sample, all of them finite and above zero.
bool is_representable(const Measurement& measured) {
  const auto fits = [](double s) { return std::isfinite(s) && as_nanoseconds(s) > 0; };
  return !measured.samples_s.empty() &&
         std::all_of(measured.samples_s.begin(), measured.samples_s.end(), fits);
}

}  // namespace

Json result_json(const CaseResult& result, const std::optional<Derived>& derived) {
  const Verdict& verdict = result.verdict;
  Json out = {{"case", case_json(result.spec)},
              {"device", result.device},
              {"status", status_name(verdict.status)},
              {"reason", reason_json(verdict.reason_code, verdict.message)},
              {"attempts", result.attempts},
              {"t_start_s", as_seconds(result.start_s)},
              {"t_end_s", as_seconds(result.end_s)},
              {"repro", result.repro},
              {"verify", verdict_json(verdict)},
              {"perf", nullptr}};
  if (result.chosen) out["chosen"] = true;
  if (!result.packing.empty()) out["packing"] = result.packing;
  if (result.measurement && is_representable(*result.measurement)) {
    out["perf"] = perf_json(*result.measurement, derived);
  } else if (result.measurement) {
    out["status"] = status_name(Status::Error);
    out["reason"] = reason_json("non_finite", "a time was zero or not a finite number");
  }
  Json phases = Json::object();
  for (const auto& [phase, seconds] : result.phases_s) phases[phase] = as_milliseconds(seconds);
  out["phases_ms"] = phases;
  return out;
}

CaseResult read_result(const JsonReader& in) {
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
  result.packing = in.text("packing");
  return result;
}

Json row_check_json(const RowCheck& row) {
  return {{"variant", row.variant},
          {"op", row.op},
          {"device", row.device},
          {"status", status_name(row.verdict.status)},
          {"reason", reason_json(row.verdict.reason_code, row.verdict.message)},
          {"seconds", as_seconds(row.seconds)},
          {"repro", row.repro},
          {"verify", verdict_json(row.verdict)}};
}

RowCheck read_row_check(const JsonReader& in) {
  return {in.get<std::string>("variant"), in.text("op"),
          in.get<std::string>("device"),  read_verdict(in),
          in.get("seconds", 0.0),         in.text("repro")};
}

}  // namespace rotor
