// A report as a document: every case with its time and its limit, and what the other files add.

#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

Cell percent_or_dash(const std::optional<double>& share) {
  return share ? Cell(show_percent(*share), *share) : Cell("-");
}

TextTable cases_table(const Report& report) {
  TextTable table;
  table.title = "Cases";
  table.columns = {{"case"},       {"device"},       {"status"},        {"n", true},
                   {"k", true},    {"batch", true},  {"time", true},    {"spread", true},
                   {"GB/s", true}, {"GOP/s", true},  {"× dense", true}, {"of limit", true},
                   {"limited by"}, {"samples", true}};
  table.anchor = "case";
  const auto derived = derive(report);
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const CaseResult& r = report.results[i];
    std::vector<Cell> row = {r.spec.id,
                             r.device,
                             {std::string(status_name(r.verdict.status)),
                              "check-" + std::to_string(report.battery.size() + i)},
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

TextTable kv_times_table(const Report& report) {
  TextTable table;
  table.title = "Time per token, with the KV cache and without";
  table.columns = {{"model"},      {"device"},        {"cache rows"}, {"position", true},
                   {"with", true}, {"without", true}, {"ratio", true}};
  table.anchor = "kv";
  for (const KvTiming& t : report.kv_timings) {
    const double ratio = t.without_cache_s / t.with_cache_s;
    table.rows.push_back({t.model,
                          t.device,
                          t.format,
                          count_cell(t.position),
                          {show_seconds(t.with_cache_s), t.with_cache_s},
                          {show_seconds(t.without_cache_s), t.without_cache_s},
                          {show_number(ratio), ratio}});
  }
  return table;
}

}  // namespace

Document document_of(const Report& report) {
  if (report.published) return document_of(*report.published);
  Document document;
  const BuildFacts& build = report.run.build;
  document.title = "rotor-bench on " + report.machine.label;
  document.lines = {
      "rotor " + build.version + " " + build.commit + (build.dirty ? " (changed)" : ""),
      report.run.started_at + ", suite " + report.run.suite +
          (report.run.complete ? "" : ", not complete")};
  for (const std::string& warning : report.machine.warnings) document.lines.push_back(warning);
  document.tables = {roof_table(report),     cases_table(report),      generation_table(report),
                     kv_times_table(report), quality_table(report),    strategy_table(report),
                     evidence_table(report), kv_table(report),         sampler_table(report),
                     mutant_table(report),   environment_table(report)};
  document.chart_data = chart_data(report);
  document.closing = {"exit " + std::to_string(report.summary.exit_code) + "  " +
                      report.summary.exit_reason};
  return document;
}

std::string report_csv(const Report& report) {
  if (report.published) return publication_csv(*report.published);
  return csv_text(cases_table(report));
}

}  // namespace rotor
