#include "reports/document.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "reports/text.h"

namespace rotor {
namespace {

std::vector<std::size_t> widths_of(const TextTable& table) {
  std::vector<std::size_t> widths;
  for (const Column& column : table.columns) widths.push_back(columns_of(column.name));
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], columns_of(row[i].text));
    }
  }
  return widths;
}

std::string console_row(const TextTable& table, const std::vector<std::size_t>& widths,
                        const std::vector<std::string>& texts) {
  std::string line;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    line += "  ";
    line +=
        table.columns[i].number ? pad_left(texts[i], widths[i]) : pad_right(texts[i], widths[i]);
  }
  while (line.ends_with(' ')) line.pop_back();
  return line + '\n';
}

std::string console_table(const TextTable& table) {
  std::string out = '\n' + table.title;
  if (!table.brief) {
    return out + ": " + count_of(table.rows.size(), "row") + " in the other formats\n";
  }
  out += '\n';
  const std::vector<std::size_t> widths = widths_of(table);
  std::vector<std::string> texts;
  for (const Column& column : table.columns) texts.push_back(column.name);
  out += console_row(table, widths, texts);
  for (const auto& row : table.rows) {
    texts.clear();
    for (const Cell& cell : row) texts.push_back(cell.text);
    out += console_row(table, widths, texts);
  }
  return out + (table.note.empty() ? "" : table.note + '\n');
}

// Characters that mean something to Markdown, and line ends.
std::string markdown_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += ' ';
      continue;
    }
    if (std::string_view("\\`*_|<>[]").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string markdown_table(const TextTable& table) {
  std::string out = "\n## " + markdown_escaped(table.title) + "\n\n|";
  for (const Column& column : table.columns) out += ' ' + markdown_escaped(column.name) + " |";
  out += "\n|";
  for (const Column& column : table.columns) out += column.number ? "---:|" : "---|";
  out += '\n';
  for (const auto& row : table.rows) {
    out += '|';
    for (const Cell& cell : row) out += ' ' + markdown_escaped(cell.text) + " |";
    out += '\n';
  }
  return out + (table.note.empty() ? "" : '\n' + markdown_escaped(table.note) + '\n');
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + '"';
}

std::string csv_number(double value) {
  if (!std::isfinite(value)) return "";
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

}  // namespace

Cell count_cell(std::uint64_t count) {
  return {std::to_string(count), static_cast<double>(count)};
}

std::string console_tables(const std::vector<TextTable>& tables) {
  std::string out;
  for (const TextTable& table : tables) {
    if (!table.rows.empty()) out += console_table(table);
  }
  return out;
}

std::string console_text(const Document& document) {
  std::string out = document.title + '\n';
  for (const std::string& line : document.lines) out += line + '\n';
  out += console_tables(document.tables);
  if (!document.closing.empty()) out += '\n';
  for (const std::string& line : document.closing) out += line + '\n';
  return out;
}

std::string markdown_text(const Document& document) {
  std::string out = "# " + markdown_escaped(document.title) + "\n\n";
  for (const std::string& line : document.lines) out += "* " + markdown_escaped(line) + '\n';
  for (const TextTable& table : document.tables) {
    if (!table.rows.empty()) out += markdown_table(table);
  }
  if (!document.closing.empty()) out += "\n## Result\n\n";
  for (const std::string& line : document.closing) out += "* " + markdown_escaped(line) + '\n';
  return out;
}

std::string csv_text(const TextTable& table) {
  std::string out;
  const auto add = [&](std::size_t column, const std::string& field) {
    if (column > 0) out += ',';
    out += field;
  };
  for (std::size_t i = 0; i < table.columns.size(); ++i) add(i, csv_field(table.columns[i].name));
  out += "\r\n";
  for (const auto& row : table.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      add(i, row[i].value ? csv_number(*row[i].value) : csv_field(row[i].text));
    }
    out += "\r\n";
  }
  return out;
}

}  // namespace rotor
