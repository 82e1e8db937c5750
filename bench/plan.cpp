#include "bench/plan.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "core/error.h"
#include "model/session.h"
#include "model/tokenizer.h"
#include "reports/report.h"
#include "runtime/choose.h"
#include "runtime/meeting.h"
#include "verify/verify.h"

namespace rotor {
namespace {

std::string battery_id(const KernelVariant& variant) {
  return std::string(variant.name) + "/battery";
}

bool runs_matmuls(const std::string& suite) {
  return suite == "all" || suite == "matmul";
}

bool runs_layers(const std::string& suite) {
  return suite == "all" || suite == "layers";
}

// The KV suite has results of its own; a filter on case names leaves it out of "all".
bool runs_kv(const BenchOptions& options) {
  return options.suite == "kv" || options.suite == "model" ||
         (options.suite == "all" && options.filters.empty());
}

// So has the quality suite.
bool runs_quality(const BenchOptions& options) {
  return options.suite == "quality" || (options.suite == "all" && options.filters.empty());
}

// Early, so that a missing file ends the run before it has begun.
void read_text(const BenchOptions& options, BenchPlan& plan) {
  const std::string path = options.text.empty() ? demo_model() + "/held_text.txt" : options.text;
  plan.text = load_file(path);
  plan.text_name = path.substr(path.rfind('/') + 1);
  if (plan.text.empty()) throw FormatError(path + ": is empty; --text needs something to read");
}

std::vector<DeviceInfo> wanted_devices(const BenchOptions& options,
                                       std::vector<AbsentBackend>& absent) {
  const std::string wanted =
      options.device.empty() && options.suite == "gate" ? "cpu" : options.device;
  if (!wanted.empty()) return {open_device(wanted, options.device_options)->info()};
  DeviceList list = list_devices(options.device_options);
  absent = list.absent;
  return list.devices;
}

std::vector<Shape> shapes_with(const Config& config) {
  const std::span<const Shape> standard = standard_shapes();
  std::vector<Shape> shapes(standard.begin(), standard.end());
  for (const Shape& shape : model_shapes(config)) {
    const bool known = std::any_of(shapes.begin(), shapes.end(), [&](const Shape& s) {
      return s.n == shape.n && s.k == shape.k;
    });
    if (!known) shapes.push_back(shape);
  }
  return shapes;
}

std::string repro_command(const BenchOptions& options) {
  std::ostringstream out;
  out << "rotor-bench --seed 0x" << std::hex << options.seed;
  for (const std::string& arg : options.repro_args) out << ' ' << arg;
  if (!options.tuning.use) out << " --no-tuned";
  return out.str();
}

// Rows whose cases are asked for, and rows asked for by their own name. Without a filter, the suite
// decides: kernels that are not timed on their own are checked all the same.
std::vector<const KernelVariant*> choose_rows(const BenchOptions& options, const Filter& filter,
                                              const std::vector<PlannedCase>& cases) {
  std::set<const KernelVariant*> timed;
  for (const PlannedCase& planned : cases) timed.insert(planned.variant);
  std::vector<const KernelVariant*> rows;
  for (const KernelVariant& variant : variants()) {
    const bool in_suite = options.suite == "all" ||
                          (runs_matmuls(options.suite) && is_matmul(variant.op)) ||
                          (runs_layers(options.suite) && has_meetings(variant.op));
    if (timed.count(&variant) > 0 || (in_suite && filter.matches(battery_id(variant)))) {
      rows.push_back(&variant);
    }
  }
  return rows;
}

}  // namespace

std::uint64_t BenchPlan::hash() const {
  std::uint64_t value = fnv1a("");
  for (const PlannedCase& planned : cases) {
    value = fnv1a(planned.result.device + ' ' + planned.result.spec.id + '\n', value);
  }
  return value;
}

std::vector<const KernelVariant*> BenchPlan::rows_of(const DeviceInfo& device) const {
  std::vector<const KernelVariant*> out;
  for (const KernelVariant* row : rows) {
    const std::uint32_t m = row->batch == Batch::Many ? 2 : 1;
    if (supports(device, *row, m)) out.push_back(row);
  }
  return out;
}

// A case joins the unit of the case before it where only the cache differs.
std::vector<Unit> BenchPlan::units_of(const DeviceInfo& device) const {
  std::vector<Unit> units;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Case& spec = cases[i].result.spec;
    if (cases[i].result.device != device.id) continue;
    if (cases[i].result.verdict.status != Status::NotRun) continue;
    const std::string variant(cases[i].variant->name);
    const bool same = !units.empty() && units.back().variant == variant &&
                      units.back().m == spec.m && units.back().n == spec.n &&
                      units.back().k == spec.k;
    if (!same || spec.layers) units.push_back({variant, spec.m, spec.n, spec.k, {}});
    if (spec.layers) {  // two bits a weight
      units.back().layers_weights = 4 * static_cast<double>(layers_weight_bytes(spec));
    }
    // Every speed-up needs the dense time.
    if (cases[i].variant->op == Op::MatmulDense) units.back().worth = 10;
    units.back().cases.push_back(i);
  }
  return units;
}

std::string BenchPlan::repro_row(const KernelVariant& variant) const {
  return repro + " --filter '^" + battery_id(variant) + "$'";
}

BenchPlan make_plan(const BenchOptions& options) {
  BenchPlan plan;
  const std::vector<std::string> suites = suite_names();
  if (std::find(suites.begin(), suites.end(), options.suite) == suites.end()) {
    std::string known;
    for (const std::string& name : suites) known += (known.empty() ? "" : ", ") + name;
    throw UsageError("no suite '" + options.suite + "'; there are " + known);
  }
  const Filter filter(options.filters);
  plan.filter = filter;
  plan.model = options.model.empty() ? demo_model() : options.model;
  const std::vector<Shape> shapes = shapes_with(open_checkpoint(plan.model)->config());
  plan.devices = wanted_devices(options, plan.absent);
  plan.repro = repro_command(options);
  if (options.self_test) return plan;
  plan.kv = runs_kv(options);
  plan.quality = runs_quality(options);
  if (plan.quality) read_text(options, plan);
  // Beside other suites it is left out with a warning.
  if (options.suite == "quality" && !vocabulary_file(plan.model)) {
    throw UnsupportedError(
        "no_tokenizer",
        plan.model + " has no tokenizer, and the quality suite reads and writes text");
  }
  for (const DeviceInfo& device : plan.devices) {
    std::vector<PlannedCase> more;
    if (runs_matmuls(options.suite)) {
      more = plan_matmul(device, shapes, filter, options.seed, plan.repro);
    } else if (options.suite == "gate") {
      more = plan_gate(device, filter, options.seed, plan.repro);
    }
    if (runs_layers(options.suite)) {
      std::vector<PlannedCase> layers = plan_layers(device, open_checkpoint(kUsualModel)->config(),
                                                    filter, options.seed, plan.repro);
      std::move(layers.begin(), layers.end(), std::back_inserter(more));
    }
    std::move(more.begin(), more.end(), std::back_inserter(plan.cases));
  }
  plan.rows = choose_rows(options, filter, plan.cases);
  if (plan.cases.empty() && plan.rows.empty() && !plan.kv && !plan.quality) {
    std::string patterns;
    for (const std::string& f : options.filters) patterns += " '" + f + "'";
    throw UsageError("nothing matches --filter" + patterns + "; --list shows what there is");
  }
  return plan;
}

std::vector<std::string> suite_names() {
  return {"all", "matmul", "layers", "kv", "model", "quality", "gate"};
}

}  // namespace rotor
