#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>

#include "core/stats.h"
#include "reports/choices.h"
#include "reports/console_models.h"
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
// of a model at a position are a shape, and so are their products alone.
struct Group {
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  std::optional<LayersShape> layers;
  bool is_products = false;
  std::map<std::pair<bool, std::uint32_t>, std::vector<std::size_t>> blocks;  // (hot, m) -> results
};

std::string group_title(const Group& group) {
  if (group.is_products) {
    return "products of " + std::to_string(group.layers->layers) + " layers of " +
           std::to_string(group.k);
  }
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
    const bool is_products = spec.op == "products";
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) {
      return g.n == spec.n && g.k == spec.k && g.layers == spec.layers &&
             g.is_products == is_products;
    });
    if (group == groups.end()) {
      group = groups.insert(group, {spec.n, spec.k, spec.layers, is_products, {}});
    }
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
  return out + model_blocks(report);
}

}  // namespace rotor
