// Why the results may be believed, as tables.

#include <cstdio>

#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

std::string check_of(const Verdict& verdict) {
  if (verdict.checked == 0) return verdict.reason_code;
  std::string text(criterion_name(verdict.criterion));
  return text + ", " + std::to_string(verdict.checked) + (verdict.sampled ? " sampled" : "") +
         " outputs, " + std::to_string(verdict.mismatches) + " wrong";
}

std::string inputs_of(const Verdict& verdict) {
  std::string inputs;
  for (const CheckedInput& input : verdict.inputs) {
    if (inputs.find(input.distribution) != std::string::npos) continue;
    inputs += (inputs.empty() ? "" : " ") + input.distribution;
  }
  return inputs;
}

// What else was looked at and was as it should be.
std::string held_of(const Verdict& verdict) {
  const std::pair<bool, const char*> facts[] = {
      {verdict.poison_cleared, "all written"},
      {verdict.guards_intact, "nothing beside"},
      {verdict.inputs_unchanged, "inputs unchanged"},
      {verdict.repeat_bitwise_equal, "repeats equal"},
      {verdict.timed_output_verified, "timed outputs compared"}};
  std::string held;
  for (const auto& [holds, name] : facts) {
    if (holds) held += (held.empty() ? "" : ", ") + std::string(name);
  }
  return held;
}

// Differences and probabilities: "3.1e-07", "0.57".
Cell small_cell(const std::optional<double>& value) {
  if (!value) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.2g", *value);
  return {text, *value};
}

Cell count_or_dash(const std::optional<std::uint64_t>& count) {
  return count ? count_cell(*count) : Cell("-");
}

std::vector<Cell> evidence_row(Cell check, const std::string& device, const Verdict& v,
                               const std::string& repro) {
  return {std::move(check),
          device,
          std::string(status_name(v.status)),
          check_of(v),
          v.reference,
          v.proof.empty() ? v.bound : v.proof,
          small_cell(v.max_over_bound),
          inputs_of(v),
          held_of(v),
          v.message,
          repro};
}

}  // namespace

TextTable evidence_table(const Report& report) {
  TextTable table;
  table.title = "Evidence";
  table.columns = {{"check"},     {"device"},       {"status"},         {"compared"},
                   {"against"},   {"why it holds"}, {"of bound", true}, {"inputs"},
                   {"also held"}, {"message"},      {"repeated by"}};
  table.anchor = "check";
  for (const RowCheck& r : report.battery) {
    table.rows.push_back(evidence_row(r.variant + "/battery", r.device, r.verdict, r.repro));
  }
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const CaseResult& r = report.results[i];
    table.rows.push_back(
        evidence_row({r.spec.id, "case-" + std::to_string(i)}, r.device, r.verdict, r.repro));
  }
  table.brief = false;
  return table;
}

TextTable kv_table(const Report& report) {
  TextTable table;
  table.title = "KV cache against no cache";
  table.columns = {{"check"},
                   {"device"},
                   {"status"},
                   {"positions", true},
                   {"attention, relative", true},
                   {"logits, relative", true},
                   {"cache rows unequal", true},
                   {"codes flipped", true},
                   {"tokens equal", true},
                   {"first difference", true},
                   {"message"}};
  for (const KvResult& r : report.kv) {
    table.rows.push_back({r.id, r.device, std::string(status_name(r.status)),
                          count_cell(r.positions), small_cell(r.attn_max_rel),
                          small_cell(r.logit_max_rel), count_or_dash(r.kv_rows_unequal),
                          small_cell(r.int8_flip_rate), count_or_dash(r.tokens_equal),
                          count_or_dash(r.first_divergence), r.message});
  }
  table.brief = false;
  return table;
}

TextTable sampler_table(const Report& report) {
  TextTable table;
  table.title = "Drawn tokens against the exact distribution";
  table.columns = {{"filter"},
                   {"status"},
                   {"draws", true},
                   {"tokens left", true},
                   {"others drawn", true},
                   {"chi-square", true},
                   {"freedom", true},
                   {"p", true},
                   {"message"}};
  for (const SamplerCheck& c : report.sampler_checks) {
    table.rows.push_back({c.filter,
                          std::string(status_name(c.status)),
                          count_cell(c.draws),
                          count_cell(c.kept),
                          count_cell(c.impossible),
                          {show_number(c.chi_square), c.chi_square},
                          count_cell(c.freedom),
                          small_cell(c.p_value),
                          c.message});
  }
  table.brief = false;
  return table;
}

TextTable mutant_table(const Report& report) {
  TextTable table;
  table.title = "Injected bugs that the checks found";
  table.columns = {{"bugs in"}, {"injected", true}, {"found", true}, {"missed"}};
  const auto add = [&](const char* where, const std::optional<MutantCount>& count) {
    if (!count) return;
    std::string missed;
    for (const std::string& name : count->missed) missed += (missed.empty() ? "" : ", ") + name;
    table.rows.push_back({where, count_cell(count->mutants), count_cell(count->caught), missed});
  };
  add("kernels", report.run.self_test);
  add("the KV cache", report.run.kv_self_test);
  add("times of simulated builds", report.run.gate_self_test);
  table.brief = false;
  return table;
}

}  // namespace rotor
