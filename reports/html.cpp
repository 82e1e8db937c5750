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

std::string cell(const Cell& cell, const Column& column) {
  std::string out = column.number ? "<td class=\"n\"" : "<td";
  if (cell.value && std::isfinite(*cell.value)) {
    char number[40];
    std::snprintf(number, sizeof number, " data-v=\"%.9g\"", *cell.value);
    out += number;
  }
  return out + '>' + escaped(cell.text) + "</td>";
}

std::string table(const TextTable& t, std::size_t index) {
  const std::string id = std::string("t").append(std::to_string(index));
  std::string out = "<section>\n<h2 id=\"" + id + "\">" + escaped(t.title) +
                    "</h2>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
                    "aria-labelledby=\"" +
                    id + "\"><table>\n<thead><tr>";
  for (const Column& column : t.columns) {
    out += std::string("<th scope=\"col\"") + (column.number ? " class=\"n\"" : "") +
           "><button type=\"button\">" + escaped(column.name) + "</button></th>";
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : t.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) out += cell(row[i], t.columns[i]);
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  if (!t.note.empty()) out += "<p class=\"note\">" + escaped(t.note) + "</p>\n";
  return out + "</section>\n";
}

}  // namespace

std::string html_text(const Document& document) {
  std::string out = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out +=
      std::string("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; ") +
      "style-src '" + page::kStyleHash + "'; script-src '" + page::kSortHash +
      "'; base-uri 'none'; form-action 'none'\">\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         escaped(document.title) + "</title>\n<style>" + page::kStyle +
         "</style>\n</head>\n<body>\n";
  out += "<h1>" + escaped(document.title) + "</h1>\n" + list(document.lines);
  for (std::size_t i = 0; i < document.tables.size(); ++i) {
    if (!document.tables[i].rows.empty()) out += table(document.tables[i], i);
  }
  if (!document.closing.empty()) out += "<h2>Result</h2>\n" + list(document.closing);
  return out + "<script>" + page::kSort + "</script>\n</body>\n</html>\n";
}

}  // namespace rotor
