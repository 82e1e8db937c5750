#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <tuple>

#include "core/stats.h"
#include "reports/choices.h"
#include "reports/tables.h"
#include "reports/text.h"

namespace rotor {
namespace {

constexpr std::size_t kNameColumns = 41;

// A line of a table with the widths that all of them share.
std::string row(const std::string& name, const std::string& time, const std::string& spread,
                const std::string& bytes, const std::string& ops, const std::string& speedup,
                const std::string& limit, const std::string& check) {
  return pad_right(clip(name, kNameColumns), kNameColumns) + pad_left(time, 10) +
         pad_left(spread, 8) + pad_left(bytes, 8) + pad_left(ops, 8) + pad_left(speedup, 8) +
         pad_left(limit, 7) + "  " + check + '\n';
}

std::string check_name(const Verdict& verdict) {
  const bool exact = verdict.criterion != Criterion::BoundedFloat;
  return std::string(exact ? "exact" : "bounded") + (verdict.sampled ? "*" : "");
}

std::string mark(Status status) {
  if (status == Status::Pass) return "✓ ";
  return is_wrong(status) || is_broken(status) ? "✗ " : "~ ";
}

// The kernels of several devices stand in one table; then the backend must be told.
std::string name_in_table(const Report& report, const CaseResult& result) {
  return report.devices.size() > 1 ? result.device + "/" + result.spec.variant
                                   : result.spec.variant;
}

// Unsupported, skipped and unreached cases have nothing to show; the closing block counts them.
bool is_shown(const CaseResult& result) {
  return result.measurement || result.verdict.passed() || is_wrong(result.verdict.status) ||
         is_broken(result.verdict.status) || result.verdict.status == Status::SuspectNumeric ||
         result.verdict.status == Status::Waived;
}

// "82%m": the share of the device's limit, and what limits: memory, compute or launch.
std::string limit_cell(const Derived& d) {
  if (!d.share) return "-";
  const std::string percent = std::to_string(static_cast<int>(std::lround(100 * *d.share)));
  return (d.above_roof ? "!" : "") + percent + '%' + limiter_name(d.limit->limiter).front();
}

std::string result_row(const Report& report, const CaseResult& result,
                       const std::optional<Derived>& d) {
  const std::string name = "  " + mark(result.verdict.status) + name_in_table(report, result) +
                           (result.chosen ? " ←" : "");
  if (!result.verdict.passed() && !d) {
    const std::string text = pad_right(clip(name, kNameColumns), kNameColumns) + "  " +
                             std::string(status_name(result.verdict.status)) + ": " +
                             result.verdict.message;
    return clip(text, kConsoleColumns) + '\n';
  }
  if (!d) return row(name, "", "", "", "", "", "", check_name(result.verdict));
  std::string spread = d->noisy ? "~" : "";
  spread += d->spread < 9.99 ? "±" + show_percent(d->spread) : ">999%";
  return row(name, show_seconds(d->median_s), spread, show_number(d->bytes_per_s * 1e-9),
             show_number(d->ops_per_s * 1e-9), d->speedup ? show_number(*d->speedup, 3) : "-",
             limit_cell(*d), check_name(result.verdict));
}

// Shapes in the order of the plan; within one, memory before cache and small batches first. All layers
// of a model at a position are a shape.
struct Group {
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  std::optional<LayersShape> layers;
  std::map<std::pair<bool, std::uint32_t>, std::vector<std::size_t>> blocks;  // (hot, m) -> results
};

std::string group_title(const Group& group) {
  if (group.layers) {
    return std::to_string(group.layers->layers) + " layers of " + std::to_string(group.k) +
           ", position " + std::to_string(group.layers->position);
  }
  return "n " + std::to_string(group.n) + " × k " + std::to_string(group.k);
}

std::vector<Group> group_by_shape(const Report& report) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const Case& spec = report.results[i].spec;
    if (!is_shown(report.results[i])) continue;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.n == spec.n && g.k == spec.k && g.layers == spec.layers;
    });
    if (group == groups.end()) group = groups.insert(group, {spec.n, spec.k, spec.layers, {}});
    group->blocks[{spec.hot, spec.m}].push_back(i);
  }
  return groups;
}

using AllDerived = std::vector<std::optional<Derived>>;

// Fastest first, what has no time last.
void sort_by_time(std::vector<std::size_t>& indices, const AllDerived& derived) {
  std::stable_sort(indices.begin(), indices.end(), [&](std::size_t a, std::size_t b) {
    if (!derived[a] || !derived[b]) return derived[a].has_value() && !derived[b].has_value();
    return derived[a]->median_s < derived[b]->median_s;
  });
}

std::string group_table(const Report& report, Group group, const AllDerived& derived) {
  std::string out = '\n' + row(group_title(group), "time", "spread", "GB/s", "GOP/s", "× dense",
                               "limit", "check");
  for (auto& [key, indices] : group.blocks) {
    const auto [hot, m] = key;
    out += " batch " + std::to_string(m) + (hot ? ", weights in cache" : "") + '\n';
    sort_by_time(indices, derived);
    for (const std::size_t i : indices) out += result_row(report, report.results[i], derived[i]);
  }
  return out;
}

// One letter for each kernel that wins somewhere.
class Legend {
 public:
  std::string letter(const std::string& name) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    const auto index = static_cast<std::size_t>(found - names_.begin());
    if (found == names_.end()) names_.push_back(name);
    return std::string(1, static_cast<char>(index < 26 ? 'a' + index : '#'));
  }
  std::string text() const {
    std::string out;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      out += "  " + Legend(*this).letter(names_[i]) + "  " + names_[i] + '\n';
    }
    return out;
  }

 private:
  std::vector<std::string> names_;
};

// The winner of each shape and batch: what a dispatcher wants to know, and most readers too. Kernels for
// all layers differ by the format of the cache, and do not compete.
std::string winners_table(const Report& report, std::vector<Group> groups,
                          const AllDerived& derived) {
  std::erase_if(groups, [](const Group& group) { return group.layers.has_value(); });
  std::vector<std::uint32_t> batches;
  for (const Group& group : groups) {
    for (const auto& block : group.blocks) {
      if (!block.first.first) batches.push_back(block.first.second);
    }
  }
  std::sort(batches.begin(), batches.end());
  batches.erase(std::unique(batches.begin(), batches.end()), batches.end());
  if (batches.empty()) return "";
  std::string out = '\n' + pad_right("Fastest (weights from memory)", 14);
  out += '\n' + pad_right("", 16);
  for (const std::uint32_t m : batches) out += pad_left("batch " + std::to_string(m), 17);
  out += '\n';
  Legend legend;
  for (const Group& group : groups) {
    out += pad_right(' ' + std::to_string(group.n) + " × " + std::to_string(group.k), 16);
    for (const std::uint32_t m : batches) {
      const auto block = group.blocks.find({false, m});
      std::vector<std::size_t> indices;
      if (block != group.blocks.end()) indices = block->second;
      sort_by_time(indices, derived);
      if (indices.empty() || !derived[indices.front()]) {
        out += pad_left("-", 17);
        continue;
      }
      const Derived& best = *derived[indices.front()];
      std::string cell = show_seconds(best.median_s, 3);
      if (best.speedup) cell += ' ' + show_number(*best.speedup, 3) + "×";
      cell += ' ' + legend.letter(name_in_table(report, report.results[indices.front()]));
      out += pad_left(cell, 17);
    }
    out += '\n';
  }
  return out + legend.text();
}

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

std::string caches_text(const Cpu& cpu) {
  std::string out;
  for (const CpuCache& cache : cpu.caches) {
    if (cache.type == "Instruction") continue;
    out +=
        (out.empty() ? "L" : ", L") + std::to_string(cache.level) + ' ' + show_bytes(cache.bytes);
  }
  return out.empty() ? "caches unknown" : out;
}

}  // namespace

std::string heading(const Report& report) {
  const BuildFacts& build = report.run.build;
  const Machine& machine = report.machine;
  std::ostringstream out;
  out << "rotor-bench " << build.version << " · " << build.commit
      << (build.dirty ? " (changed)" : "") << " · " << build.compiler << ' ' << build.type
      << " · suite " << report.run.suite << " · seed 0x" << std::hex << report.run.seed << std::dec
      << '\n';
  out << machine.label << " · " << caches_text(machine.cpu) << " · "
      << show_bytes(machine.memory_bytes) << " · " << machine.os << ", kernel " << machine.kernel
      << '\n';
  for (const DeviceFacts& device : report.devices) {
    std::string line = device.id + "  " + device.name;
    for (const auto& [key, value] : device.features) line += " · " + key + ' ' + value;
    out << clip(line, kConsoleColumns) << '\n';
  }
  return out.str();
}

std::string result_tables(const Report& report) {
  const AllDerived derived = derive(report);
  const std::vector<Group> groups = group_by_shape(report);
  std::string out = console_tables({roof_table(report)});
  for (const Group& group : groups) out += group_table(report, group, derived);
  const bool any_time =
      std::any_of(derived.begin(), derived.end(), [](const auto& d) { return d.has_value(); });
  if (any_time) {
    out +=
        "\ntime is the median of a launch; ± the wider quartile around it (~ noisy); × dense: "
        "how many\ntimes faster than the dense FP32 product; limit: share of what the device can "
        "do "
        "at best, which\nis limited by m memory, c compute, l launch (! above it); * only some "
        "outputs compared;\n← what the runtime takes.\n";
    out += winners_table(report, groups, derived) + choices_text(report, derived);
  }
  out += kv_block(report) + kv_timing_block(report) + console_tables({generation_table(report)});
  out += quality_block(report);
  return out + strategy_block(report) + sampler_block(report);
}

}  // namespace rotor
