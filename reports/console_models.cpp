#include "reports/console_models.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <tuple>

#include "core/stats.h"
#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

// One line for all variants of a mode on a model: how many pass, and the worst of their numbers.
struct KvGroup {
  std::string device;
  std::string model;
  std::string mode;
  std::vector<const KvResult*> rows;

  std::size_t passed() const {
    return static_cast<std::size_t>(std::count_if(
        rows.begin(), rows.end(), [](const KvResult* r) { return r->status == Status::Pass; }));
  }
  template <typename T>
  std::optional<T> worst(std::optional<T> KvResult::*field) const {
    std::optional<T> most;
    for (const KvResult* r : rows) {
      if (r->*field && (!most || *(r->*field) > *most)) most = r->*field;
    }
    return most;
  }
};

// "kv/lockstep/prefill16/demo" ends with the model.
std::vector<KvGroup> group_kv(const Report& report) {
  std::vector<KvGroup> groups;
  for (const KvResult& kv : report.kv) {
    const std::string model = kv.id.substr(kv.id.rfind('/') + 1);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const KvGroup& g) {
      return g.device == kv.device && g.model == model && g.mode == kv.mode;
    });
    if (group == groups.end()) group = groups.insert(group, {kv.device, model, kv.mode, {}});
    group->rows.push_back(&kv);
  }
  return groups;
}

std::string kv_numbers(const KvGroup& group) {
  std::ostringstream out;
  out.precision(2);
  if (const auto rows = group.worst(&KvResult::kv_rows_unequal)) out << *rows << " rows unequal  ";
  if (const auto worst = group.worst(&KvResult::attn_max_rel)) {
    out << "attention " << *worst;
    for (const KvResult* r : group.rows) {
      const auto limit = r->tolerance.find("attn_max_rel");
      if (r->attn_max_rel != worst || limit == r->tolerance.end()) continue;
      out << " (at most " << limit->second << ", " << r->variant << ")  ";
      break;
    }
  }
  if (const auto l = group.worst(&KvResult::logit_max_rel)) out << "logits " << *l << "  ";
  if (group.worst(&KvResult::tokens_equal)) {
    std::uint64_t equal = 0;
    std::uint64_t all = 0;
    for (const KvResult* r : group.rows) {
      equal += r->tokens_equal.value_or(0);
      all += r->positions;
    }
    out << "tokens " << equal << " of " << all;
  }
  return out.str();
}

// Passed, wrong, or not run.
std::string group_mark(const KvGroup& group) {
  if (group.passed() == group.rows.size()) return "✓ ";
  const bool skipped = std::all_of(group.rows.begin(), group.rows.end(), [](const KvResult* r) {
    return r->status == Status::Pass || r->status == Status::Skipped;
  });
  return skipped ? "~ " : "✗ ";
}

std::string kv_block(const Report& report) {
  if (report.kv.empty()) return "";
  std::string out =
      "\nKV cache against no cache: ways to fill it that pass, and the worst of each\n";
  for (const KvGroup& group : group_kv(report)) {
    const std::size_t passed = group.passed();
    const std::string counts = std::to_string(passed) + " of " + std::to_string(group.rows.size());
    const std::string line =
        std::string("  ") + group_mark(group) + pad_right(group.device + ' ' + group.model, 20) +
        pad_right(group.mode, 12) + pad_left(counts, 9) + "   " + kv_numbers(group);
    out += clip(line, kConsoleColumns) + '\n';
  }
  return out;
}

// The CPU without a cache, at the same position of the same model: what a speed-up refers to.
const KvTiming* baseline_of(const Report& report, const KvTiming& timing) {
  for (const KvTiming& t : report.kv_timings) {
    if (t.device.starts_with("cpu") && t.model == timing.model && t.position == timing.position) {
      return &t;
    }
  }
  return nullptr;
}

std::string kv_timing_block(const Report& report) {
  if (report.kv_timings.empty()) return "";
  std::string out =
      "\nModels: time per token at a position, × the CPU without a cache; prompts of that "
      "length\n" +
      pad_right("  device and model", 34) + pad_left("prompt", 11) + pad_left("no cache", 12) +
      pad_left("×", 8) + pad_left("cache", 12) + pad_left("×", 8) + pad_left("on device", 12) +
      '\n';
  for (const KvTiming& t : report.kv_timings) {
    const KvTiming* baseline = baseline_of(report, t);
    const auto faster = [&](double seconds) {
      return baseline != nullptr ? show_number(baseline->without_cache_s / seconds) : "-";
    };
    const std::string label = "  " + t.device + ' ' + t.model;
    const std::string where = " at " + std::to_string(t.position);
    out += pad_right(clip(label, 24) + where, 34) +
           pad_left(show_seconds(t.without_cache_s / (t.position + 1)), 11) +
           pad_left(show_seconds(t.without_cache_s), 12) + pad_left(faster(t.without_cache_s), 8) +
           pad_left(show_seconds(t.with_cache_s), 12) + pad_left(faster(t.with_cache_s), 8) +
           pad_left(t.with_cache_device_s ? show_seconds(*t.with_cache_device_s) : "-", 12) + '\n';
  }
  return out;
}

std::string share_text(const ChatScore& chats) {
  const ChatScore::Topic all = chats.total();
  return std::to_string(all.right) + " of " + std::to_string(all.asked);
}

// "cpu:0 demo, cache f32, head stored"
std::string setup_name(const QualityResult& q) {
  return q.device + ' ' + clip(q.model, 12) + ", cache " + q.kv +
         (q.head.empty() ? "" : ", head " + q.head);
}

std::string quality_block(const Report& report) {
  if (report.quality.empty()) return "";
  std::string out = '\n' + pad_right("Quality", 47) + pad_left("perplexity", 11) +
                    pad_left("nll", 8) + pad_left("answers right", 16) +
                    pad_left("chat tokens/s", 15) + '\n';
  for (const QualityResult& q : report.quality) {
    out += pad_right("  " + mark(q.status) + setup_name(q), 47);
    if (q.status == Status::Unsupported) {
      out += "  " + clip(q.message, kConsoleColumns - 49) + '\n';
      continue;
    }
    out += pad_left(q.text ? show_number(std::exp(q.text->nll)) : "-", 11) +
           pad_left(q.text ? show_number(q.text->nll) : "-", 8) +
           pad_left(q.chats ? share_text(*q.chats) : "-", 16) +
           pad_left(q.chats ? show_number(q.chats->answer_tokens / q.chats->seconds) : "-", 15) +
           '\n';
  }
  return out;
}

// How the ways to choose tokens compare, on the first setup of each device; the report has the rest.
std::string strategy_block(const Report& report) {
  std::string blocks;
  std::string shown;  // the device before
  for (const QualityResult& quality : report.quality) {
    if (quality.strategies.empty() || quality.device == shown) continue;
    shown = quality.device;
    blocks += ' ' + setup_name(quality) + '\n';
    for (const StrategyScore& s : quality.strategies) {
      blocks += pad_right("  " + s.name, 31);
      for (const double share : s.distinct) blocks += pad_left(show_percent(share), 7);
      blocks +=
          pad_left(std::to_string(s.longest_repeat), 16) +
          pad_left(s.token_s.empty() ? "-" : show_seconds(median(s.token_s), 3), 11) +
          pad_left(s.draw_samples_s.empty() ? "-" : show_seconds(median(s.draw_samples_s), 3), 10) +
          '\n';
    }
  }
  if (blocks.empty()) return "";
  return '\n' + pad_right("Choosing tokens: distinct runs of", 34) + pad_left("1", 4) +
         pad_left("2", 7) + pad_left("3", 7) + pad_left("4", 7) + pad_left("longest repeat", 16) +
         pad_left("per token", 11) + pad_left("of it draw", 11) + '\n' + blocks;
}

// Small ones matter most: "0.57", "0.004", "2e-07".
std::string show_p(double p) {
  std::ostringstream out;
  out.precision(p < 0.1 ? 1 : 2);
  out << p;
  return out.str();
}

std::string sampler_block(const Report& report) {
  if (report.sampler_checks.empty()) return "";
  std::string out = '\n' + pad_right("Drawn tokens against the exact distribution", 44) +
                    pad_left("draws", 8) + pad_left("tokens", 8) + pad_left("chi-square", 12) +
                    pad_left("freedom", 9) + pad_left("p", 9) + '\n';
  for (const SamplerCheck& c : report.sampler_checks) {
    out += pad_right("  " + mark(c.status) + c.filter, 44) + pad_left(std::to_string(c.draws), 8) +
           pad_left(std::to_string(c.kept), 8) + pad_left(show_number(c.chi_square), 12) +
           pad_left(std::to_string(c.freedom), 9) + pad_left(show_p(c.p_value), 9) + '\n';
  }
  return out;
}

}  // namespace

std::string mark(Status status) {
  if (status == Status::Pass) return "✓ ";
  return is_wrong(status) || is_broken(status) ? "✗ " : "~ ";
}

std::string model_blocks(const Report& report) {
  return kv_block(report) + kv_timing_block(report) + console_tables({generation_table(report)}) +
         quality_block(report) + strategy_block(report) + sampler_block(report);
}

}  // namespace rotor
