// Document: titled tables and lines of text, rendered for people (console, Markdown, HTML) and for
// spreadsheets (CSV). What is said is decided once; how it looks, here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rotor {

struct Cell {
  std::string text;
  std::optional<double> value;  // what `text` stands for, unrounded: CSV shows it, HTML sorts by it
  std::string link;             // anchor of the row that a page leads to from here

  Cell() = default;
  Cell(std::string shown) : text(std::move(shown)) {}
  Cell(const char* shown) : text(shown) {}
  Cell(std::string shown, double exact) : text(std::move(shown)), value(exact) {}
  Cell(std::string shown, std::string anchor) : text(std::move(shown)), link(std::move(anchor)) {}
};

Cell count_cell(std::uint64_t count);

struct Column {
  std::string name;
  bool number = false;  // aligned to the right
};

struct TextTable {
  std::string title;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
  std::string note;    // below it
  std::string anchor;  // "case": on a page, row i is found as "case-i"; empty: rows have no anchors
  bool brief = true;   // false: too long for a terminal, which tells how many rows there are
};

struct Document {
  std::string title;
  std::vector<std::string> lines;  // before the tables
  std::vector<TextTable> tables;   // those without rows are not shown
  std::vector<std::string> closing;
  std::string chart_data;  // JSON for the scripts that draw a page's charts; empty: no charts
};

// As wide as it takes: names are never cut, for they are copied from here.
std::string console_text(const Document& document);
std::string markdown_text(const Document& document);  // GitHub's tables
// A whole page, self-contained: the reader's browser loads nothing. With charts where the document has
// data for them and the build found the library that draws them; the tables need no script.
std::string html_text(const Document& document);
// Tables alone, as console_text shows them.
std::string console_tables(const std::vector<TextTable>& tables);
// One table, as RFC 4180 has it.
std::string csv_text(const TextTable& table);

}  // namespace rotor
