#include "reports/json_machine.h"

#include <algorithm>
#include <limits>

namespace rotor {

Json count_json(const std::optional<MutantCount>& count) {
  if (!count) return nullptr;
  return {{"mutants", count->mutants}, {"caught", count->caught}, {"missed", count->missed}};
}

std::optional<MutantCount> read_count(const JsonReader& in, const char* key) {
  if (!in.has(key)) return std::nullopt;
  const JsonReader count = in.at(key);
  return MutantCount{count.get<std::uint32_t>("mutants"), count.get<std::uint32_t>("caught"),
                     count.get<std::vector<std::string>>("missed", {})};
}

namespace {

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

BuildFacts read_build(const JsonReader& in) {
  return {in.text("version"),   in.text("git_commit"), in.get("git_dirty", false),
          in.text("compiler"),  in.text("build_type"), in.text("cxx_flags"),
          in.texts("libraries")};
}

}  // namespace

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

Run read_run(const JsonReader& in) {
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

Json power_json(const PowerState& power) {
  return {{"on_ac", or_null(power.on_ac)},
          {"governor", text_or_null(power.governor)},
          {"profile", text_or_null(power.profile)},
          {"cpu_temp_c", json_number(power.cpu_temp_c)},
          {"gpu_temp_c", json_number(power.gpu_temp_c)},
          {"load_avg_1m", json_number(power.load_avg_1m)},
          {"battery_pct", json_number(power.battery_pct)}};
}

PowerState read_power_state(const JsonReader& in) {
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

namespace {

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

CpuCache read_cache(const JsonReader& in) {
  return {in.get("level", 0u), in.text("type"), in.get<std::uint64_t>("bytes", 0),
          in.get("shared_by", 1u)};
}

Cpu read_cpu_facts(const JsonReader& in) {
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

}  // namespace

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

Machine read_machine_facts(const JsonReader& in) {
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
            {"period_ns", json_number(device.timer_period_ns)},
            {"trusted", device.timer_trusted},
            {"check", device.timer_check}}}};
}

DeviceFacts read_device(const JsonReader& in) {
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
  const JsonReader timer = in.at("timer");
  device.timer = timer.get<std::string>("source");
  device.timer_period_ns = timer.optional<double>("period_ns");
  device.timer_trusted = timer.get("trusted", true);
  device.timer_check = timer.text("check");
  return device;
}

Json roof_json(const Roof& roof) {
  return {{"device", roof.device},
          {"kind", roof.kind},
          {"footprint_bytes", or_null(roof.footprint_bytes)},
          {"at", roof.at},
          {"median", json_number(roof.median)},
          {"unit", roof.unit},
          {"threads", or_null(roof.threads)},
          {"samples", json_list(roof.samples, [](double v) { return v; })}};
}

Roof read_roof(const JsonReader& in) {
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

}  // namespace rotor
