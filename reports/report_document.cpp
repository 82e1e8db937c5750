// A report as a document: every case with its time, its limit and the evidence that it is right.

#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

Cell count_cell(std::uint64_t count) {
  return {std::to_string(count), static_cast<double>(count)};
}
Cell percent_or_dash(const std::optional<double>& share) {
  return share ? Cell(show_percent(*share), *share) : Cell("-");
}

std::string check_of(const Verdict& verdict) {
  if (verdict.checked == 0) return verdict.reason_code;
  std::string text(criterion_name(verdict.criterion));
  return text + ", " + std::to_string(verdict.checked) + " outputs, " +
         std::to_string(verdict.mismatches) + " wrong";
}

TextTable cases_table(const Report& report) {
  TextTable table;
  table.title = "Cases";
  table.columns = {{"case"},       {"device"},       {"status"},        {"n", true},
                   {"k", true},    {"batch", true},  {"time", true},    {"spread", true},
                   {"GB/s", true}, {"GOP/s", true},  {"× dense", true}, {"of limit", true},
                   {"limited by"}, {"samples", true}};
  const auto derived = derive(report);
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const CaseResult& r = report.results[i];
    std::vector<Cell> row = {r.spec.id,
                             r.device,
                             std::string(status_name(r.verdict.status)),
                             count_cell(r.spec.n),
                             count_cell(r.spec.k),
                             count_cell(r.spec.m)};
    if (const auto& d = derived[i]) {
      row.insert(row.end(),
                 {{show_seconds(d->median_s), d->median_s},
                  {(d->noisy ? "~±" : "±") + show_percent(d->spread), d->spread},
                  {show_number(d->bytes_per_s * 1e-9), d->bytes_per_s * 1e-9},
                  {show_number(d->ops_per_s * 1e-9), d->ops_per_s * 1e-9},
                  d->speedup ? Cell(show_number(*d->speedup, 3), *d->speedup) : Cell("-"),
                  percent_or_dash(d->share),
                  d->limit ? std::string(limiter_name(d->limit->limiter)) : "-",
                  count_cell(r.measurement->samples_s.size())});
    } else {
      row.insert(row.end(), 8, Cell("-"));
    }
    table.rows.push_back(std::move(row));
  }
  table.brief = false;
  return table;
}

TextTable evidence_table(const Report& report) {
  TextTable table;
  table.title = "Evidence";
  table.columns = {{"check"},   {"device"},       {"status"}, {"compared"},
                   {"against"}, {"why it holds"}, {"inputs"}, {"message"}};
  const auto add = [&](const std::string& id, const std::string& device, const Verdict& v) {
    std::string inputs;
    for (const CheckedInput& input : v.inputs) {
      if (inputs.find(input.distribution) != std::string::npos) continue;
      inputs += (inputs.empty() ? "" : " ") + input.distribution;
    }
    table.rows.push_back({id, device, std::string(status_name(v.status)), check_of(v), v.reference,
                          v.proof.empty() ? v.bound : v.proof, inputs, v.message});
  };
  for (const RowCheck& r : report.battery) add(r.variant + "/battery", r.device, r.verdict);
  for (const CaseResult& r : report.results) add(r.spec.id, r.device, r.verdict);
  table.brief = false;
  return table;
}

TextTable kv_table(const Report& report) {
  TextTable table;
  table.title = "KV cache against no cache";
  table.columns = {{"check"},
                   {"device"},
                   {"status"},
                   {"positions", true},
                   {"attention, relative", true},
                   {"tokens equal", true},
                   {"message"}};
  for (const KvResult& r : report.kv) {
    table.rows.push_back(
        {r.id, r.device, std::string(status_name(r.status)), count_cell(r.positions),
         r.attn_max_rel ? Cell(show_number(*r.attn_max_rel, 8), *r.attn_max_rel) : Cell("-"),
         r.tokens_equal ? count_cell(*r.tokens_equal) : Cell("-"), r.message});
  }
  table.brief = false;
  return table;
}

TextTable kv_times_table(const Report& report) {
  TextTable table;
  table.title = "Time per token, with the KV cache and without";
  table.columns = {{"model"},      {"device"},        {"position", true},
                   {"with", true}, {"without", true}, {"ratio", true}};
  for (const KvTiming& t : report.kv_timings) {
    const double ratio = t.without_cache_s / t.with_cache_s;
    table.rows.push_back({t.model,
                          t.device,
                          count_cell(t.position),
                          {show_seconds(t.with_cache_s), t.with_cache_s},
                          {show_seconds(t.without_cache_s), t.without_cache_s},
                          {show_number(ratio), ratio}});
  }
  return table;
}

TextTable environment_table(const Report& report) {
  TextTable table;
  table.title = "Environment";
  table.columns = {{"what"}, {"is"}};
  const auto add = [&](const std::string& what, const std::string& is) {
    if (!is.empty()) table.rows.push_back({what, is});
  };
  const Machine& m = report.machine;
  add("machine", m.label);
  add("hardware key", hex_key(m.hw_key));
  add("software key", hex_key(m.sw_key));
  add("system", m.os + ", kernel " + m.kernel);
  add("memory", show_bytes(m.memory_bytes));
  add("virtualised", m.virtualised);
  add("governor", m.power_start.governor);
  add("compiler", report.run.build.compiler + ' ' + report.run.build.type);
  add("flags", report.run.build.flags);
  for (const DeviceFacts& d : report.devices) {
    std::string facts = d.name + " · " + d.driver;
    for (const auto& [key, value] : d.features) facts += " · " + key + ' ' + value;
    add(d.id, facts);
  }
  for (const auto& [key, value] : report.run.options) add("option " + key, value);
  for (const auto& [key, value] : report.run.context) add("context " + key, value);
  for (const std::string& warning : m.warnings) add("warning", warning);
  for (const Event& event : report.events) add(event.kind, event.detail);
  table.brief = false;
  return table;
}

}  // namespace

Document document_of(const Report& report) {
  Document document;
  const BuildFacts& build = report.run.build;
  document.title = "rotor-bench on " + report.machine.label;
  document.lines = {
      "rotor " + build.version + " " + build.commit + (build.dirty ? " (changed)" : ""),
      report.run.started_at + ", suite " + report.run.suite +
          (report.run.complete ? "" : ", not complete")};
  for (const std::string& warning : report.machine.warnings) document.lines.push_back(warning);
  document.tables = {roof_table(report), cases_table(report),    kv_times_table(report),
                     kv_table(report),   evidence_table(report), environment_table(report)};
  document.closing = {"exit " + std::to_string(report.summary.exit_code) + "  " +
                      report.summary.exit_reason};
  return document;
}

std::string report_csv(const Report& report) {
  return csv_text(cases_table(report));
}

}  // namespace rotor
