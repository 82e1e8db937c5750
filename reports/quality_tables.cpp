// What models write, as tables.

#include <cmath>

#include "core/stats.h"
#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

Cell number_cell(double value) {
  return {show_number(value), value};
}

Cell seconds_cell(const std::vector<double>& seconds) {
  if (seconds.empty()) return "-";
  return {show_seconds(median(seconds)), median(seconds)};
}

}  // namespace

TextTable quality_table(const Report& report) {
  TextTable table;
  table.title = "Quality";
  table.columns = {{"model"},       {"device"},           {"cache rows"}, {"head"},
                   {"status"},      {"perplexity", true}, {"nll", true},  {"asked", true},
                   {"right", true}, {"tokens/s", true},   {"message"}};
  for (const QualityResult& q : report.quality) {
    std::vector<Cell> row = {q.model, q.device, q.kv, q.head, std::string(status_name(q.status))};
    row.push_back(q.text ? number_cell(std::exp(q.text->nll)) : "-");
    row.push_back(q.text ? number_cell(q.text->nll) : "-");
    row.push_back(q.chats ? count_cell(q.chats->total().asked) : "-");
    row.push_back(q.chats ? count_cell(q.chats->total().right) : "-");
    row.push_back(q.chats ? number_cell(q.chats->answer_tokens / q.chats->seconds) : "-");
    row.push_back(q.message);
    table.rows.push_back(std::move(row));
  }
  table.brief = false;
  return table;
}

TextTable strategy_table(const Report& report) {
  TextTable table;
  table.title = "Choosing tokens";
  table.columns = {
      {"strategy"},        {"setup"},       {"distinct tokens", true}, {"pairs", true},
      {"triples", true},   {"fours", true}, {"longest repeat", true},  {"per token", true},
      {"of it draw", true}};
  table.note = "distinct: the share of runs of one to four tokens that differ from each other";
  constexpr std::size_t kRuns = 4;
  for (const QualityResult& q : report.quality) {
    for (const StrategyScore& s : q.strategies) {
      std::vector<Cell> row = {s.name, q.device + ' ' + q.id};
      for (std::size_t i = 0; i < kRuns; ++i) {
        row.push_back(i < s.distinct.size() ? Cell(show_percent(s.distinct[i]), s.distinct[i])
                                            : Cell("-"));
      }
      row.push_back(count_cell(s.longest_repeat));
      row.push_back(seconds_cell(s.token_s));
      row.push_back(seconds_cell(s.draw_samples_s));
      table.rows.push_back(std::move(row));
    }
  }
  table.brief = false;
  return table;
}

}  // namespace rotor
