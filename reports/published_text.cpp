// Published figures, and a run held against them, as tables and lines.

#include "core/error.h"
#include "reports/published.h"
#include "reports/report.h"
#include "reports/text.h"

namespace rotor {
namespace {

Cell time_cell(double seconds) {
  return {show_seconds(seconds), seconds};
}
Cell ratio_cell(double ratio) {
  return {show_number(ratio, 3) + "×", ratio};
}

std::string shape_name(const PublishedProduct& p) {
  return "n" + std::to_string(p.n) + "_k" + std::to_string(p.k) + "_b" + std::to_string(p.m);
}

TextTable products_table(const Publication& published) {
  TextTable table;
  table.title = std::string("Products, ") + kNotMeasured;
  table.columns = {{"figure"},  {"run"},         {"backend"},    {"n", true},
                   {"k", true}, {"batch", true}, {"time", true}, {"status"}};
  for (const PublishedProduct& p : published.products) {
    table.rows.push_back({figure_name(p), p.run, p.backend, count_cell(p.n), count_cell(p.k),
                          count_cell(p.m), time_cell(p.seconds), "not verified"});
  }
  return table;
}

TextTable tokens_table(const Publication& published) {
  TextTable table;
  table.title = std::string("Time per token, ") + kNotMeasured;
  table.columns = {
      {"after tokens", true}, {"with the KV cache", true}, {"without", true}, {"ratio", true}};
  for (const PublishedTokenTime& t : published.tokens) {
    table.rows.push_back({count_cell(t.tokens), time_cell(t.with_cache_s),
                          time_cell(t.without_cache_s),
                          ratio_cell(t.without_cache_s / t.with_cache_s)});
  }
  return table;
}

std::string interval(const HeldKernel& k) {
  if (k.low == k.high) return "too few samples";
  return show_seconds(k.low, 3) + " to " + show_seconds(k.high, 3);
}

TextTable held_table(const HeldAgainst& held) {
  TextTable table;
  table.title = "The fastest verified kernel of the same backend against what was published";
  table.columns = {{"product"},       {"published"},     {"time", true},
                   {"yours", true},   {"95 % interval"}, {"published/yours", true},
                   {"kernels", true}, {"yours is"}};
  for (const HeldProduct& p : held.products) {
    std::vector<Cell> row = {shape_name(p.published),
                             p.published.backend + ", run " + p.published.run,
                             time_cell(p.published.seconds)};
    if (p.mine) {
      const std::string device = p.mine->device_name + (p.mine->software ? ", software" : "");
      row.insert(row.end(),
                 {time_cell(p.mine->seconds), interval(*p.mine),
                  ratio_cell(p.published.seconds / p.mine->seconds), count_cell(p.mine->kernels),
                  p.mine->case_id + " on " + p.mine->device + " (" + device + ")"});
    } else {
      row.insert(row.end(), {"-", "-", "-", count_cell(0), p.lacking});
    }
    table.rows.push_back(row);
  }
  table.note =
      "kernels: of which yours is the fastest. Cold weights where the run has them, real devices "
      "before\nsoftware ones. What published/yours is made of, machine or kernel, cannot be told.";
  return table;
}

TextTable gains_table(const HeldAgainst& held) {
  TextTable table;
  table.title = "What the KV cache gains: only the ratio can be held against another model's";
  table.columns = {
      {"model"},         {"device"},      {"after tokens", true}, {"with", true},
      {"without", true}, {"ratio", true}, {"published", true},    {"after tokens", true}};
  for (const HeldGain& g : held.gains) {
    table.rows.push_back({g.model, g.device, count_cell(g.position), time_cell(g.with_cache_s),
                          time_cell(g.without_cache_s),
                          ratio_cell(g.without_cache_s / g.with_cache_s),
                          ratio_cell(g.published.without_cache_s / g.published.with_cache_s),
                          count_cell(g.published.tokens)});
  }
  table.note = "The position of yours that is nearest; the gain grows with the position.";
  return table;
}

}  // namespace

std::string figure_name(const PublishedProduct& p) {
  return "published/" + p.backend + "/" + shape_name(p) + "/" + p.run;
}

Document document_of(const Publication& published) {
  Document document;
  document.title = "Published figures: " + published.machine;
  document.lines = {std::string(kNotMeasured) + ": no samples, no evidence, never gated",
                    "source: " + published.source};
  document.lines.insert(document.lines.end(), published.notes.begin(), published.notes.end());
  document.tables = {products_table(published), tokens_table(published)};
  document.closing = {"0 cases measured, 0 checks passed: these are " +
                      count_of(published.products.size() + published.tokens.size(), "figure") +
                      " of others"};
  return document;
}

std::string publication_csv(const Publication& published) {
  return csv_text(products_table(published));
}

Document document_of(const HeldAgainst& held) {
  Document document;
  document.title = "A run held against published figures";
  document.lines = {"A  " + held.name + " · " + held.published.machine + " · " + kNotMeasured,
                    "source of A: " + held.published.source,
                    "B  " + held.mine_name + " · " + held.mine_label + " · " + held.mine_run +
                        " · measured and verified"};
  document.lines.insert(document.lines.end(), held.published.notes.begin(),
                        held.published.notes.end());
  document.tables = {held_table(held), gains_table(held)};
  std::size_t found = 0;
  for (const HeldProduct& p : held.products) found += p.mine.has_value();
  document.closing = {std::to_string(found) + " of " + count_of(held.products.size(), "product") +
                      " that were published have a verified time in B; none is called faster or "
                      "slower: how far\nthe published ones spread is not known"};
  if (held.products.size() > 0 && held.gains.empty() && !held.published.tokens.empty()) {
    document.closing.push_back(
        "times per token: B has none with and without the cache; --suite model or kv measures "
        "them");
  }
  if (held.wrong > 0) document.closing.push_back(count_of(held.wrong, "case") + " wrong in B");
  document.closing.push_back("exit " + std::to_string(exit_code(held)));
  return document;
}

std::string held_csv(const HeldAgainst& held) {
  TextTable table;
  table.columns = {{"product"}, {"backend"}, {"run"}, {"published_s"}, {"status"}, {"case"},
                   {"device"},  {"mine_s"},  {"low"}, {"high"},        {"ratio"},  {"lacking"}};
  for (const HeldProduct& p : held.products) {
    std::vector<Cell> row = {shape_name(p.published), p.published.backend, p.published.run,
                             Cell("", p.published.seconds), kNotMeasured};
    if (p.mine) {
      row.insert(row.end(),
                 {p.mine->case_id, p.mine->device, Cell("", p.mine->seconds), Cell("", p.mine->low),
                  Cell("", p.mine->high), Cell("", p.published.seconds / p.mine->seconds), Cell()});
    } else {
      row.insert(row.end(), {Cell(), Cell(), Cell(), Cell(), Cell(), Cell(), p.lacking});
    }
    table.rows.push_back(row);
  }
  return csv_text(table);
}

}  // namespace rotor
