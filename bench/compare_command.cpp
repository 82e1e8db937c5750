#include <filesystem>
#include <ostream>

#include "bench/bench.h"
#include "core/error.h"
#include "core/written.h"
#include "reports/compare.h"
#include "reports/journal.h"
#include "reports/projection.h"
#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

Report load_report(const std::string& path) {
  if (path.ends_with(".jsonl")) {
    const std::string out = path.substr(0, path.size() - 1);
    throw FormatError(path +
                      ": is the journal of a run, not a report; make one with rotor-bench show " +
                      path + " --out " + out);
  }
  return read_json(load_file(path), path);
}

std::string render(const ReportComparison& comparison, const std::string& format) {
  if (format == "console") return console_text(document_of(comparison));
  if (format == "markdown") return markdown_text(document_of(comparison));
  if (format == "html") return html_text(document_of(comparison));
  if (format == "csv") return comparison_csv(comparison);
  return comparison_json(comparison);
}

std::string render(const HeldAgainst& held, const std::string& format) {
  if (format == "console") return console_text(document_of(held));
  if (format == "markdown") return markdown_text(document_of(held));
  if (format == "html") return html_text(document_of(held));
  if (format == "csv") return held_csv(held);
  return held_json(held);
}

std::string render(const Projection& projection, const std::string& format) {
  if (format == "console") return console_text(document_of(projection));
  if (format == "markdown") return markdown_text(document_of(projection));
  if (format == "html") return html_text(document_of(projection));
  if (format == "csv") return projection_csv(projection);
  return projection_json(projection);
}

std::string render(const Report& report, const std::string& path) {
  if (path.ends_with(".xml")) return report_junit(report);
  const std::string format = format_of(path);
  if (format == "console" && report.published) return console_text(document_of(report));
  if (format == "console") return heading(report) + result_tables(report) + closing_block(report);
  if (format == "markdown") return markdown_text(document_of(report));
  if (format == "html") return html_text(document_of(report));
  if (format == "csv") return report_csv(report);
  return write_json(report);
}

void check_outs(const std::vector<std::string>& outs) {
  for (const std::string& path : outs) {
    format_of(path);
    check_writable(path);
  }
}

// To standard output and to the files, each in its format. `noun` is what the result is called.
template <typename Result, typename Options>
int deliver(const Result& result, const std::string& noun, const Options& options,
            std::ostream& out, std::ostream& talk) {
  const std::string text = render(result, options.format);
  out << (options.format == "json" ? text : printable(text));
  for (const std::string& path : options.outs) {
    save_file(path, render(result, format_of(path)));
    talk << noun << ": " << path << '\n';
  }
  check_written(out, "the " + noun);  // last: files are written all the same
  return exit_code(result);
}

}  // namespace

int run_show(const ShowOptions& options, std::ostream& out, std::ostream& talk) {
  for (const std::string& path : options.outs) {
    if (!path.ends_with(".xml")) format_of(path);
    check_writable(path);
  }
  // A journal gives the report of a run that did not come to its end.
  const Report report = options.report.ends_with(".jsonl") ? replay_journal(options.report)
                                                           : load_report(options.report);
  if (options.outs.empty()) out << printable(render(report, "report.txt"));
  check_written(out, "the report");
  for (const std::string& path : options.outs) {
    save_file(path, render(report, path));
    talk << "report: " << path << '\n';
  }
  return kExitOk;
}

std::vector<std::string> compare_formats() {
  return {"console", "markdown", "json", "html", "csv"};
}

std::string format_of(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension();
  if (extension == ".txt") return "console";
  if (extension == ".md") return "markdown";
  if (extension == ".json") return "json";
  if (extension == ".html") return "html";
  if (extension == ".csv") return "csv";
  throw UsageError(
      "--out " + path +
      ": the format follows from the ending: .txt, .md, .json, .html, .csv (a report: .xml)");
}

int run_compare(const CompareOptions& options, std::ostream& out, std::ostream& talk) {
  check_outs(options.outs);
  const Report a = load_report(options.a);
  const Report b = load_report(options.b);
  if (a.published && b.published) require_measured(b, options.b, "a comparison");
  const auto hold = [&](const Report& figures, const std::string& name, const Report& mine,
                        const std::string& mine_name) {
    return deliver(hold_against(figures, name, mine, mine_name), "comparison", options, out, talk);
  };
  if (a.published) return hold(a, options.a, b, options.b);
  if (b.published) return hold(b, options.b, a, options.a);
  CompareRules rules;
  rules.min_effect = options.min_effect;
  return deliver(compare(a, options.a, b, options.b, rules), "comparison", options, out, talk);
}

int run_project(const ProjectOptions& options, std::ostream& out, std::ostream& talk) {
  check_outs(options.outs);
  const HardwareTable hardware = options.hardware.empty()
                                     ? built_in_hardware()
                                     : read_hardware(load_file(options.hardware), options.hardware);
  return deliver(
      project(load_report(options.report), options.report, hardware, options.onto, options.device),
      "projection", options, out, talk);
}

}  // namespace rotor
