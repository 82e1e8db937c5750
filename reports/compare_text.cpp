// A comparison as tables.

#include <algorithm>
#include <sstream>

#include "reports/compare.h"
#include "reports/text.h"

namespace rotor {
namespace {

// More rows than this are left to the other formats.
constexpr std::size_t kConsoleRows = 40;

// What rooflines leave unexplained is worth a look outside of this (measuring-and-verifying B.6).
constexpr double kMostUnexplained = 1.25;

Cell times(double factor) {
  return {show_number(factor, 3) + "×", factor};
}
Cell share(const std::optional<double>& of_limit) {
  return of_limit ? Cell(show_percent(*of_limit), *of_limit) : Cell("-");
}
Cell factor_or_dash(const std::optional<double>& factor) {
  return factor ? times(*factor) : Cell("-");
}

std::string interval(const ComparedCase& c) {
  return show_number(c.low, 3) + " to " + show_number(c.high, 3);
}

std::optional<double> unexplained(const ComparedCase& c) {
  if (!c.explained) return std::nullopt;
  return c.speedup / *c.explained;
}

TextTable cases_table(const ReportComparison& comparison, const std::string& title,
                      const std::vector<const ComparedCase*>& cases) {
  TextTable table;
  table.title = title;
  table.columns = {{"case"}, {"A", true}, {"B", true}, {"A/B", true}, {"interval"}, {"B is"}};
  const bool roofs = std::any_of(comparison.cases.begin(), comparison.cases.end(),
                                 [](const ComparedCase& c) { return c.explained.has_value(); });
  if (roofs && !comparison.same_hardware) table.columns.push_back({"unexplained", true});
  for (const ComparedCase* c : cases) {
    table.rows.push_back({c->spec.id,
                          {show_seconds(c->a_s), c->a_s},
                          {show_seconds(c->b_s), c->b_s},
                          times(c->speedup),
                          interval(*c),
                          std::string(change_name(c->change))});
    if (roofs && !comparison.same_hardware) {
      table.rows.back().push_back(factor_or_dash(unexplained(*c)));
    }
  }
  table.brief = cases.size() <= kConsoleRows;
  return table;
}

// Sorted by the size of the difference.
TextTable changed_table(const ReportComparison& comparison) {
  std::vector<const ComparedCase*> cases;
  for (const ComparedCase& c : comparison.cases) {
    if (c.change == Change::Faster || c.change == Change::Slower) cases.push_back(&c);
  }
  std::stable_sort(cases.begin(), cases.end(), [](const ComparedCase* x, const ComparedCase* y) {
    return x->speedup < y->speedup;
  });
  TextTable table = cases_table(comparison, "Differences, what got slower first", cases);
  table.brief = true;
  return table;
}

TextTable all_cases_table(const ReportComparison& comparison) {
  std::vector<const ComparedCase*> cases;
  for (const ComparedCase& c : comparison.cases) cases.push_back(&c);
  return cases_table(comparison, "Every case that both timed", cases);
}

TextTable outcomes_table(const ReportComparison& comparison) {
  TextTable table;
  table.title = "Checks that only one report has, or that ended differently";
  table.columns = {{"check"}, {"device"}, {"A"}, {"B"}, {"says"}};
  for (const OutcomeChange& c : comparison.outcomes) {
    const std::string verdict = c.wrong ? "wrong" : c.lost ? "lost" : "";
    table.rows.push_back(
        {c.id, c.device, c.a.empty() ? "absent" : c.a, c.b.empty() ? "absent" : c.b,
         verdict.empty() ? c.reason : verdict + (c.reason.empty() ? "" : ": ") + c.reason});
  }
  table.brief = table.rows.size() <= kConsoleRows;
  return table;
}

std::string work_name(const WinnerDiffers& w) {
  std::ostringstream out;
  out << 'n' << w.n << " k" << w.k << " b" << w.m << (w.hot ? " hot" : "");
  return out.str();
}

TextTable winners_table(const ReportComparison& comparison) {
  TextTable table;
  table.title = "The fastest kernel is another one";
  table.columns = {
      {"work"}, {"best on A"}, {"best on B"}, {"costs on A", true}, {"costs on B", true}};
  for (const WinnerDiffers& w : comparison.winners) {
    table.rows.push_back({work_name(w), w.best_a, w.best_b, times(w.loss_a), times(w.loss_b)});
  }
  table.note = "costs on A: what B's fastest takes there, over A's own fastest; on B likewise.";
  return table;
}

std::vector<Cell> group_row(const Group& group) {
  return {group.name,
          {std::to_string(group.cases), static_cast<double>(group.cases)},
          times(group.speedup),
          factor_or_dash(group.unexplained),
          share(group.portability)};
}

TextTable groups_table(const ReportComparison& comparison) {
  TextTable table;
  table.title = "Geometric means over the cases that both timed";
  table.columns = {
      {"kernel"}, {"cases", true}, {"A/B", true}, {"unexplained", true}, {"of limit", true}};
  if (comparison.all.cases == 0) return table;
  for (const Group& group : comparison.variants) table.rows.push_back(group_row(group));
  table.rows.push_back(group_row(comparison.all));
  const bool known = comparison.all.unexplained.has_value();
  table.note =
      known
          ? "unexplained: what is left of A/B after each machine's own measured roofline, worth a "
            "look\noutside " +
                show_number(1 / kMostUnexplained, 3) + " to " + show_number(kMostUnexplained, 3) +
                "; of limit: harmonic mean of the share of the roofline on both."
          : "A report without a measured roofline says nothing of what the hardware explains.";
  return table;
}

std::string side_line(const char* letter, const Side& side) {
  return std::string(letter) + "  " + side.name + " · " + side.label + " · " + side.build + " · " +
         side.run_id;
}

std::string counts_line(const ReportComparison& c) {
  const std::string size = std::to_string(c.cases.size()) + " cases timed in both (of " +
                           std::to_string(c.a.timed) + " and " + std::to_string(c.b.timed) + "): ";
  return size + std::to_string(c.count(Change::Faster)) + " faster, " +
         std::to_string(c.count(Change::Slower)) + " slower, " +
         std::to_string(c.count(Change::Same)) + " same, " +
         std::to_string(c.count(Change::Unclear)) + " unclear";
}

std::vector<std::string> closing_lines(const ReportComparison& c) {
  std::vector<std::string> lines = {counts_line(c)};
  if (c.ranking) {
    lines.push_back("order of the kernels: Kendall's tau " + show_number(*c.ranking, 3) +
                    " (1: the same on both)");
  }
  if (c.wrong() > 0) lines.push_back(count_of(c.wrong(), "check") + " wrong in B");
  if (c.lost() > 0) {
    lines.push_back("coverage shrank: " + count_of(c.lost(), "check") +
                    " that passed in A did not run to an end in B");
  }
  if (c.lost() == 0 && c.wrong() == 0)
    lines.push_back("coverage: nothing that ran in A is lost in B");
  lines.push_back("exit " + std::to_string(exit_code(c)));
  return lines;
}

}  // namespace

Document document_of(const ReportComparison& c) {
  Document document;
  document.title = c.same_hardware
                       ? (c.same_software ? "Comparison of two runs on one machine"
                                          : "Comparison across a driver or system change")
                       : "Comparison of two machines";
  document.lines = {side_line("A", c.a), side_line("B", c.b)};
  for (const std::string& note : c.notes) document.lines.push_back(note);
  document.lines.push_back("A/B above 1: B is faster. A difference: the whole interval is beyond " +
                           show_percent(c.rules.min_effect) + "; same: within it");
  document.tables = {changed_table(c), outcomes_table(c), winners_table(c), groups_table(c),
                     all_cases_table(c)};
  document.closing = closing_lines(c);
  return document;
}

std::string comparison_csv(const ReportComparison& comparison) {
  TextTable table;
  table.columns = {{"case"},    {"key"},     {"device_a"},  {"device_b"},   {"a_s"},
                   {"b_s"},     {"speedup"}, {"low"},       {"high"},       {"change"},
                   {"share_a"}, {"share_b"}, {"explained"}, {"unexplained"}};
  const auto number = [](const std::optional<double>& value) {
    return value ? Cell("", *value) : Cell();
  };
  for (const ComparedCase& c : comparison.cases) {
    table.rows.push_back({c.spec.id, hex_key(case_key(c.spec)), c.device_a, c.device_b,
                          number(c.a_s), number(c.b_s), number(c.speedup), number(c.low),
                          number(c.high), std::string(change_name(c.change)), number(c.share_a),
                          number(c.share_b), number(c.explained), number(unexplained(c))});
  }
  return csv_text(table);
}

}  // namespace rotor
