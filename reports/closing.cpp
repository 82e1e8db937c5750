#include <algorithm>
#include <map>

#include "reports/report.h"
#include "reports/text.h"

namespace rotor {
namespace {

constexpr std::size_t kLabelColumns = 14;

// "  label         text", the label only on the first of a run of lines.
class Block {
 public:
  void line(const std::string& label, const std::string& text) {
    const std::string shown = label == last_ ? "" : label;
    last_ = label;
    out_ += ' ' + pad_right(shown, kLabelColumns) + text + '\n';
  }
  // Text that may be cut at the edge of the screen; commands are not.
  void clipped(const std::string& label, const std::string& text) {
    line(label, clip(text, kConsoleColumns - kLabelColumns - 1));
  }
  const std::string& text() const { return out_; }

 private:
  std::string out_;
  std::string last_;
};

std::string joined(const std::map<std::string, std::size_t>& counts) {
  std::string out;
  for (const auto& [name, count] : counts) {
    out += (out.empty() ? "" : ", ") + std::to_string(count) + ' ' + name;
  }
  return out;
}

void add_totals(Block& block, const Report& report) {
  if (!report.battery.empty()) {
    const auto passed = std::count_if(report.battery.begin(), report.battery.end(),
                                      [](const RowCheck& r) { return r.verdict.passed(); });
    block.line("kernels", std::to_string(passed) + " of " + std::to_string(report.battery.size()) +
                              " pass on small odd shapes with every kind of input");
  }
  std::map<std::string, std::size_t> by_status;
  for (const CaseResult& r : report.results) {
    ++by_status[std::string(status_name(r.verdict.status))];
  }
  if (!report.results.empty()) {
    block.line("cases", std::to_string(report.results.size()) + ": " + joined(by_status));
  }
  by_status.clear();
  for (const KvResult& kv : report.kv) ++by_status[std::string(status_name(kv.status))];
  if (!report.kv.empty()) {
    block.line("KV cache", std::to_string(report.kv.size()) + ": " + joined(by_status));
  }
  for (const QualityResult& q : report.quality) {
    if (q.status == Status::Pass || q.status == Status::Unsupported) continue;
    block.clipped("quality", q.device + ' ' + q.id + ": " + q.message);
  }
}

void add_mutants(Block& block, const std::string& what, const std::optional<MutantCount>& count) {
  if (!count) return;
  block.line("self-test", std::to_string(count->caught) + " of " + std::to_string(count->mutants) +
                              ' ' + what + " found");
  for (const std::string& name : count->missed) block.line("self-test", "missed: " + name);
}

// Kernels that this machine cannot run, and cases left out, one line for each reason.
void add_left_out(Block& block, const Report& report) {
  std::map<std::string, std::size_t> unsupported;
  std::map<std::string, std::size_t> skipped;
  for (const CaseResult& r : report.results) {
    const Verdict& v = r.verdict;
    if (v.status == Status::Unsupported) {
      ++unsupported[r.spec.backend + '/' + r.spec.variant + ": " + v.reason_code + ", " +
                    v.message];
    } else if (v.status == Status::Skipped || v.status == Status::NotRun ||
               v.status == Status::Waived) {
      ++skipped[v.reason_code + ": " + v.message];
    }
  }
  for (const auto& [reason, count] : unsupported) {
    block.clipped("unsupported", reason + " (" + count_of(count, "case") + ")");
  }
  for (const auto& [reason, count] : skipped) {
    block.clipped("left out", reason + " (" + count_of(count, "case") + ")");
  }
}

void add_slowest(Block& block, const Report& report,
                 const std::vector<std::optional<Derived>>& derived) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < derived.size(); ++i) {
    if (derived[i]) order.push_back(i);
  }
  if (order.size() < 6) return;  // the tables are short enough to look at
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return derived[a]->median_s > derived[b]->median_s;
  });
  for (std::size_t i = 0; i < 3; ++i) {
    block.line("slowest", pad_left(show_seconds(derived[order[i]]->median_s), 9) + "  " +
                              report.results[order[i]].spec.id);
  }
}

void add_warnings(Block& block, const Report& report,
                  const std::vector<std::optional<Derived>>& derived) {
  for (const std::string& warning : report.machine.warnings) block.clipped("warning", warning);
  std::size_t timed = 0;
  std::size_t noisy = 0;
  for (const auto& d : derived) {
    timed += d.has_value();
    noisy += d && d->noisy;
  }
  if (noisy > 0) {
    block.line("warning", "noisy: " + std::to_string(noisy) + " of " + count_of(timed, "time") +
                              ", marked ~ in the tables");
  }
  std::size_t above = 0;
  for (const auto& d : derived) above += d && d->above_roof;
  if (above > 0) {
    block.line("warning",
               count_of(above, "time") +
                   " above the device's measured limit, marked ! in the tables: a cache "
                   "that was\n               not cold, or a clock or a limit that is wrong");
  }
  for (const Event& event : report.events) block.clipped("event", event.kind + ": " + event.detail);
}

void add_failure(Block& block, const std::string& id, Status status, const std::string& message,
                 const std::string& repro) {
  block.line("failed", id + ": " + std::string(status_name(status)));
  block.line("failed", "  " + message);
  if (!repro.empty()) block.line("failed", "  repeat: " + repro);
}

bool is_failure(Status status) {
  return is_wrong(status) || is_broken(status);
}

void add_failures(Block& block, const Report& report) {
  for (const RowCheck& r : report.battery) {
    if (!is_failure(r.verdict.status)) continue;
    add_failure(block, r.variant, r.verdict.status, r.verdict.message, r.repro);
  }
  for (const CaseResult& r : report.results) {
    if (!is_failure(r.verdict.status)) continue;
    add_failure(block, r.spec.id, r.verdict.status, r.verdict.message, r.repro);
  }
  for (const KvResult& kv : report.kv) {
    if (is_failure(kv.status)) add_failure(block, kv.id, kv.status, kv.message, "");
  }
  for (const SamplerCheck& c : report.sampler_checks) {
    if (is_failure(c.status)) add_failure(block, "sampler, " + c.filter, c.status, c.message, "");
  }
}

}  // namespace

std::string closing_block(const Report& report) {
  const std::vector<std::optional<Derived>> derived = derive(report);
  Block block;
  add_totals(block, report);
  add_mutants(block, "injected kernel bugs", report.run.self_test);
  add_mutants(block, "injected cache bugs", report.run.kv_self_test);
  add_mutants(block, "seeded slow-downs", report.run.gate_self_test);
  add_left_out(block, report);
  add_slowest(block, report, derived);
  add_warnings(block, report, derived);
  add_failures(block, report);
  block.line("exit " + std::to_string(report.summary.exit_code), report.summary.exit_reason);
  return "\nSummary\n" + block.text();
}

}  // namespace rotor
