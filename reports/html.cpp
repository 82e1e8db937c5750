// Pages: one file that needs no network and may not use one. The policy allows the style and the
// scripts of this program only, by their hashes, which the build computes.

#include <cmath>
#include <cstdio>

#include "page_parts.h"
#include "reports/document.h"

namespace rotor {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string list(const std::vector<std::string>& lines) {
  std::string out = "<ul class=\"facts\">\n";
  for (const std::string& line : lines) out += "<li>" + escaped(line) + "</li>\n";
  return out + "</ul>\n";
}

// A text inside a script element: `<` could end the element, so JSON's other spelling stands for it.
std::string script_escaped(const std::string& json) {
  std::string out;
  for (const char c : json) out += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return out;
}

std::string link_to(const std::string& anchor, const std::string& text) {
  return "<a href=\"#" + escaped(anchor) + "\">" + escaped(text) + "</a>";
}

std::string cell(const Cell& cell, const Column& column) {
  std::string out = column.number ? "<td class=\"n\"" : "<td";
  if (cell.value && std::isfinite(*cell.value)) {
    char number[40];
    std::snprintf(number, sizeof number, " data-v=\"%.9g\"", *cell.value);
    out += number;
  }
  return out + '>' + (cell.link.empty() ? escaped(cell.text) : link_to(cell.link, cell.text)) +
         "</td>";
}

std::string rows_of(const TextTable& t) {
  std::string out;
  for (std::size_t i = 0; i < t.rows.size(); ++i) {
    out += t.anchor.empty() ? "<tr>" : "<tr id=\"" + t.anchor + '-' + std::to_string(i) + "\">";
    for (std::size_t c = 0; c < t.rows[i].size(); ++c) out += cell(t.rows[i][c], t.columns[c]);
    out += "</tr>\n";
  }
  return out;
}

std::string anchor_of(std::size_t table) {
  return std::string("t").append(std::to_string(table));
}

std::string table(const TextTable& t, std::size_t index) {
  const std::string id = anchor_of(index);
  std::string out = "<section>\n<h2 id=\"" + id + "\">" + escaped(t.title) +
                    "</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                    "aria-labelledby=\"" +
                    id + "\"><table>\n<thead><tr>";
  for (const Column& column : t.columns) {
    out += std::string("<th scope=\"col\"") + (column.number ? " class=\"n\"" : "") +
           "><button type=\"button\">" + escaped(column.name) + "</button></th>";
  }
  out += "</tr></thead>\n<tbody>\n" + rows_of(t) + "</tbody></table></div>\n";
  if (!t.note.empty()) out += "<p class=\"note\">" + escaped(t.note) + "</p>\n";
  return out + "</section>\n";
}

// The contents: with a keyboard, the way past long tables.
std::string contents(const Document& document, bool charts) {
  std::string out = "<nav aria-label=\"Contents\">\n";
  if (charts) out += link_to("charts", "Charts") + '\n';
  for (std::size_t i = 0; i < document.tables.size(); ++i) {
    if (!document.tables[i].rows.empty()) {
      out += link_to(anchor_of(i), document.tables[i].title) + '\n';
    }
  }
  return out + "</nav>\n";
}

// Where the scripts put the charts, and their data, which a browser does not run.
std::string chart_section(const std::string& data) {
  return "<section id=\"charts\"><noscript><p class=\"note\">The charts need JavaScript; the "
         "tables "
         "have all they show.</p></noscript></section>\n"
         "<script type=\"application/json\" id=\"chart-data\">" +
         script_escaped(data) + "</script>\n";
}

std::string script(const page::Part& part) {
  return std::string("<script>") + part.text + "</script>\n";
}

// Nothing is loaded and nothing is run but these parts.
std::string policy(bool charts) {
  std::string scripts = std::string("'") + page::kSort.hash + '\'';
  if (charts) {
    for (const page::Part& part : page::kCharts) scripts += std::string(" '") + part.hash + '\'';
  }
  return std::string("default-src 'none'; style-src '") + page::kStyle.hash + "'; script-src " +
         scripts + "; base-uri 'none'; form-action 'none'";
}

}  // namespace

std::string html_text(const Document& document) {
  const bool charts = !document.chart_data.empty() && !page::kCharts.empty();
  std::string out = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += "<meta http-equiv=\"Content-Security-Policy\" content=\"" + policy(charts) + "\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escaped(document.title) + "</title>\n<style>" + page::kStyle.text +
         "</style>\n</head>\n<body>\n";
  out += "<h1>" + escaped(document.title) + "</h1>\n" + list(document.lines) +
         contents(document, charts);
  if (charts) out += chart_section(document.chart_data);
  for (std::size_t i = 0; i < document.tables.size(); ++i) {
    if (!document.tables[i].rows.empty()) out += table(document.tables[i], i);
  }
  if (!document.closing.empty()) out += "<h2>Result</h2>\n" + list(document.closing);
  out += script(page::kSort);
  if (charts) {
    for (const page::Part& part : page::kCharts) out += script(part);
  }
  return out + "</body>\n</html>\n";
}

}  // namespace rotor
