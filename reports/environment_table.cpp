// What the times depend on, as a table.

#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

// What nobody could tell is left out.
void add_fact(TextTable& table, const std::string& what, const std::string& is) {
  if (!is.empty()) table.rows.push_back({what, is});
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string caches_of(const Cpu& cpu) {
  std::string text;
  for (const CpuCache& cache : cpu.caches) {
    text += (text.empty() ? "L" : ", L") + std::to_string(cache.level) + ' ' + cache.type + ' ' +
            show_bytes(cache.bytes) + " for " + count_of(cache.shared_by, "thread");
  }
  return text;
}

std::string power_of(const PowerState& power) {
  std::string text;
  const auto add = [&](const std::string& fact) { text += (text.empty() ? "" : ", ") + fact; };
  const auto number = [&](const char* name, const std::optional<double>& value, const char* unit) {
    if (value) add(name + show_number(*value, 3) + unit);
  };
  if (power.on_ac) add(*power.on_ac ? "on mains" : "on battery");
  if (!power.governor.empty()) add("governor " + power.governor);
  if (!power.profile.empty()) add("profile " + power.profile);
  number("CPU ", power.cpu_temp_c, " °C");
  number("GPU ", power.gpu_temp_c, " °C");
  number("load ", power.load_avg_1m, "");
  number("battery ", power.battery_pct, "%");
  return text;
}

void add_machine(TextTable& table, const Machine& m) {
  add_fact(table, "machine", m.label);
  add_fact(table, "hardware key", hex_key(m.hw_key));
  add_fact(table, "software key", hex_key(m.sw_key));
  add_fact(table, "system", m.os + ", kernel " + m.kernel);
  add_fact(table, "CPU",
           m.cpu.vendor + ' ' + m.cpu.model + ", family " + m.cpu.family + ", model " +
               m.cpu.model_number + ", stepping " + m.cpu.stepping);
  add_fact(table, "cores",
           count_of(m.cpu.sockets, "socket") + ", " + count_of(m.cpu.cores, "core") + ", " +
               count_of(m.cpu.threads, "thread"));
  add_fact(table, "caches", caches_of(m.cpu));
  add_fact(table, "vector extensions", joined(m.cpu.flags));
  add_fact(table, "memory", show_bytes(m.memory_bytes));
  add_fact(table, "virtualised", m.virtualised);
  add_fact(table, "power at the start", power_of(m.power_start));
  if (m.power_end) add_fact(table, "power at the end", power_of(*m.power_end));
}

void add_device(TextTable& table, const DeviceFacts& d) {
  std::string text = d.name;
  const auto add = [&](const std::string& fact) { text += fact.empty() ? "" : " · " + fact; };
  add(d.driver);
  add(d.api_version);
  for (const auto& [key, value] : d.features) add(key + ' ' + value);
  add_fact(table, d.id, text);
  std::string timer = d.timer;
  if (d.timer_period_ns) timer += ", " + show_number(*d.timer_period_ns) + " ns per tick";
  if (!d.timer_trusted) timer += ", not trusted";
  if (!d.timer_check.empty()) timer += ": " + d.timer_check;
  add_fact(table, d.id + " timer", timer);
}

void add_run(TextTable& table, const Run& run) {
  const BuildFacts& build = run.build;
  add_fact(table, "program",
           build.version + ' ' + build.commit + (build.dirty ? " (changed)" : ""));
  add_fact(table, "compiler", build.compiler + ' ' + build.type);
  add_fact(table, "flags", build.flags);
  for (const auto& [name, version] : build.libraries) add_fact(table, "library " + name, version);
  add_fact(table, "command", joined(run.argv));
  add_fact(table, "run", run.id);
  add_fact(table, "started", run.started_at);
  add_fact(table, "ended", run.ended_at);
  add_fact(table, "resumed from", run.resumed_from);
  for (const auto& [key, value] : run.options) add_fact(table, "option " + key, value);
  for (const auto& [key, value] : run.context) add_fact(table, "context " + key, value);
}

}  // namespace

TextTable environment_table(const Report& report) {
  TextTable table;
  table.title = "Environment";
  table.columns = {{"what"}, {"is"}};
  table.brief = false;
  add_machine(table, report.machine);
  for (const DeviceFacts& device : report.devices) add_device(table, device);
  add_run(table, report.run);
  for (const std::string& warning : report.machine.warnings) add_fact(table, "warning", warning);
  for (const Event& event : report.events) {
    add_fact(table, event.kind,
             show_seconds(event.t_s) + (event.case_id.empty() ? "" : ", ") + event.case_id + ": " +
                 event.detail);
  }
  return table;
}

}  // namespace rotor
