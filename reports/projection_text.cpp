// A projection as tables and lines.

#include <algorithm>

#include "reports/projection.h"
#include "reports/text.h"

namespace rotor {
namespace {

Cell time_cell(double seconds) {
  return {show_seconds(seconds, 3), seconds};
}
Cell per_second(double tokens) {
  return {show_number(tokens, 3), tokens};
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

TextTable tokens_table(const Projection& projection, const ProjectedTarget& target) {
  TextTable table;
  table.title = "Projection of tokens per second: " + projection.hardware.model.name +
                ", 2-bit weights, on " + target.hardware.name;
  table.columns = {{"head"},     {"MB/token", true}, {"ceiling", true}, {"projected from", true},
                   {"to", true}, {"limited by"}};
  for (const ProjectedTokens& t : target.tokens) {
    table.rows.push_back({t.head,
                          {show_number(t.bytes * 1e-6), t.bytes * 1e-6},
                          per_second(t.ceiling_per_s),
                          t.slow_per_s ? per_second(*t.slow_per_s) : Cell("-"),
                          t.fast_per_s ? per_second(*t.fast_per_s) : Cell("-"),
                          t.limiter.empty() ? "-" : t.limiter});
  }
  table.note = "ceiling: the theoretical bus over the bytes, which nothing reaches. ";
  table.note += target.model_share ? "Projected with the " + show_percent(*target.model_share) +
                                         " of its limit\nthat " + projection.device.id +
                                         " reached over the products of a layer."
                                   : "Not projected: no\nshare of the limit for single tokens of " +
                                         joined(target.lacking) + ".";
  return table;
}

bool is_of_model(const Case& spec, const ModelTraffic& model) {
  return std::any_of(model.products.begin(), model.products.end(),
                     [&](const auto& p) { return p.n == spec.n && p.k == spec.k; });
}

TextTable cases_table(const Projection& projection, const ProjectedTarget& target, bool of_model) {
  TextTable table;
  table.title = std::string("Projection of ") + (of_model ? "the model's" : "other") +
                " products on " + target.hardware.name;
  table.columns = {{"case on " + projection.device.id},
                   {"measured", true},
                   {"of its limit", true},
                   {"projected from", true},
                   {"to", true},
                   {"limited on " + projection.device.id},
                   {"limited on " + target.hardware.id}};
  for (const ProjectedCase& c : target.cases) {
    if (is_of_model(c.spec, projection.hardware.model) != of_model) continue;
    table.rows.push_back({c.spec.id,
                          {(c.noisy ? "~" : "") + show_seconds(c.measured_s, 3), c.measured_s},
                          {show_percent(c.share), c.share},
                          time_cell(c.time.fast_s),
                          time_cell(c.time.slow_s),
                          c.measured_limiter,
                          c.time.limiter});
  }
  table.note =
      "Of each product the fastest kernel that suits. Where the two limits differ, the\n"
      "share says less; ~ marks a noisy time.";
  table.brief = of_model;
  return table;
}

// Of which device's hardware, or of all of it.
template <typename Add>
void for_each_left_out(const Projection& projection, Add add) {
  add("all", projection.left_out);
  for (const ProjectedTarget& target : projection.targets) {
    add(target.hardware.id, target.left_out);
  }
}

TextTable reasons_table(const Projection& projection) {
  TextTable table;
  table.title = "Cases of " + projection.device.id + " that are not projected";
  table.columns = {{"why"}, {"onto"}, {"cases", true}, {"for example"}};
  for_each_left_out(projection, [&](const std::string& onto, const auto& left_out) {
    for (const ReasonCount& r : count_reasons(left_out)) {
      table.rows.push_back({r.why, onto, count_cell(r.cases), r.example});
    }
  });
  return table;
}

TextTable left_out_table(const Projection& projection) {
  TextTable table;
  table.title = "Every case that is not projected";
  table.columns = {{"case"}, {"onto"}, {"why"}};
  for_each_left_out(projection, [&](const std::string& onto, const auto& left_out) {
    for (const LeftOutCase& c : left_out) table.rows.push_back({c.case_id, onto, c.why});
  });
  table.brief = false;
  return table;
}

TextTable figures_table(const Projection& projection) {
  TextTable table;
  table.title = "What the projection takes from data sheets";
  table.columns = {{"of"}, {"figure"}, {"is"}, {"known"}, {"source"}};
  const auto add = [&](const std::string& of, const std::vector<ShownFigure>& figures) {
    for (const ShownFigure& f : figures) {
      table.rows.push_back({of, f.what, f.value, f.known, f.source});
    }
  };
  for (const ProjectedTarget& target : projection.targets) {
    add(target.hardware.id, figures_of(target.hardware));
  }
  add("all", figures_of(projection.hardware));
  table.note = projection.hardware.sources;
  return table;
}

}  // namespace

Document document_of(const Projection& p) {
  Document document;
  document.title = "Projection, not a measurement";
  document.lines = {"from " + p.name + " · " + p.label + " · " + p.device.id + " · " + p.run_id};
  for (const std::string& assumption : p.assumptions) {
    document.lines.push_back("assumed: " + assumption);
  }
  for (const ProjectedTarget& target : p.targets) {
    document.tables.push_back(tokens_table(p, target));
    document.tables.push_back(cases_table(p, target, true));
    document.tables.push_back(cases_table(p, target, false));
  }
  document.tables.push_back(reasons_table(p));
  document.tables.push_back(left_out_table(p));
  document.tables.push_back(figures_table(p));
  document.closing = {"These are projections. To know, run rotor-bench on the machine itself."};
  return document;
}

std::string projection_csv(const Projection& p) {
  TextTable table;
  table.columns = {
      {"kind"}, {"onto"},    {"what"},    {"measured_s"},       {"share"},  {"from"}, {"to"},
      {"unit"}, {"ceiling"}, {"limiter"}, {"measured_limiter"}, {"why_not"}};
  const auto number = [](const std::optional<double>& value) {
    return value ? Cell("", *value) : Cell();
  };
  for (const ProjectedTarget& target : p.targets) {
    const std::string& id = target.hardware.id;
    for (const ProjectedTokens& t : target.tokens) {
      table.rows.push_back({kProjection, id, p.hardware.model.name + ", head " + t.head, Cell(),
                            number(target.model_share), number(t.slow_per_s), number(t.fast_per_s),
                            "tokens/s", number(t.ceiling_per_s), t.limiter, Cell(),
                            t.slow_per_s ? Cell() : "lacking " + joined(target.lacking)});
    }
    for (const ProjectedCase& c : target.cases) {
      table.rows.push_back({kProjection, id, c.spec.id, number(c.measured_s), number(c.share),
                            number(c.time.fast_s), number(c.time.slow_s), "s", Cell(),
                            c.time.limiter, c.measured_limiter, Cell()});
    }
  }
  for_each_left_out(p, [&](const std::string& onto, const auto& left_out) {
    for (const LeftOutCase& c : left_out) {
      table.rows.push_back({"not projected", onto, c.case_id, Cell(), Cell(), Cell(), Cell(),
                            Cell(), Cell(), Cell(), Cell(), c.why});
    }
  });
  return csv_text(table);
}

}  // namespace rotor
