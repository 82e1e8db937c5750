#include <ostream>

#include "bench/plan.h"
#include "core/error.h"
#include "core/written.h"
#include "reports/text.h"
#include "runtime/choose.h"

namespace rotor {
namespace {

std::string batch_name(Batch batch) {
  switch (batch) {
    case Batch::Single:
      return "one";
    case Batch::Many:
      return "many";
    case Batch::Any:
      break;
  }
  return "any";
}

// The first device that runs the row, or why none does.
std::string where_it_runs(const DeviceList& list, const KernelVariant& variant) {
  const std::uint32_t m = variant.batch == Batch::Many ? 2 : 1;
  std::string reason = "no " + std::string(backend_name(variant.backend)) + " device";
  for (const DeviceInfo& info : list.devices) {
    if (info.backend != variant.backend) continue;
    const Support support = supports(info, variant, m);
    if (support) return info.id;
    reason = support.reason_code + ": " + support.message;
  }
  return "- (" + reason + ")";
}

int finish(std::ostream& out) {
  check_written(out, "the list");
  return kExitOk;
}

}  // namespace

int list_cases(const BenchOptions& options, std::ostream& out, std::ostream& talk) {
  const BenchPlan plan = make_plan(options);
  for (const PlannedCase& planned : plan.cases) {
    const Verdict& verdict = planned.result.verdict;
    out << planned.result.spec.id;
    if (verdict.status == Status::Unsupported) {
      out << "\tunsupported: " << verdict.reason_code << ", " << verdict.message;
    }
    out << '\n';
  }
  if (plan.cases.empty()) {
    talk << "rotor-bench: suite '" << options.suite
         << "' has no cases to list: it runs whole models, or checks kernels and times none\n";
  }
  return finish(out);
}

int list_variants(const BenchOptions& options, std::ostream& out) {
  const DeviceList list = list_devices(options.device_options);
  const auto row = [&](const std::string& name, const std::string& op, const std::string& packing,
                       const std::string& batch, const std::string& device) {
    out << pad_right(name, 40) << ' ' << pad_right(op, 16) << ' ' << pad_right(packing, 9) << ' '
        << pad_right(batch, 7) << ' ' << device << '\n';
  };
  row("variant", "op", "packing", "tokens", "runs on");
  for (const KernelVariant& variant : variants()) {
    row(std::string(variant.name), std::string(contract(variant.op).name),
        std::string(packing_name(variant.packing)), batch_name(variant.batch),
        where_it_runs(list, variant));
  }
  return finish(out);
}

int list_devices(const BenchOptions& options, std::ostream& out) {
  const DeviceList list = list_devices(options.device_options);
  for (const DeviceInfo& info : list.devices) {
    out << pad_right(info.id, 10) << ' ' << info.name << " (" << info.kind
        << "): " << feature_list(info.features);
    if (info.backend == Backend::Cpu) out << ", " << count_of(info.threads, "thread");
    if (!info.driver.empty()) out << ", " << info.driver;
    out << '\n';
  }
  for (const AbsentBackend& absent : list.absent) {
    out << pad_right(std::string(backend_name(absent.backend)), 10)
        << " not here: " << absent.reason << '\n';
  }
  return finish(out);
}

}  // namespace rotor
