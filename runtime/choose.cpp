#include "runtime/choose.h"

#include <algorithm>

#include "core/error.h"

namespace rotor {

Support supports(const DeviceInfo& device, const KernelVariant& variant, std::uint32_t m) {
  const std::string name(variant.name);
  if (variant.backend != device.backend) {
    return {"other_backend",
            name + " does not run on " + std::string(backend_name(device.backend))};
  }
  const Features missing = variant.needs & ~device.features;
  for (const FeatureName& f : feature_names()) {
    if ((missing & f.bit) != 0) {
      return {"no_" + std::string(f.name), "device lacks " + std::string(f.people)};
    }
  }
  if (variant.batch == Batch::Single && m != 1)
    return {"single_token_only", name + " serves one token"};
  if (variant.batch == Batch::Many && m == 1) return {"many_tokens_only", name + " serves batches"};
  return {};
}

KernelSet::KernelSet(Device& device, std::vector<std::string> preferred)
    : device_(device), preferred_(std::move(preferred)) {}

const KernelVariant* KernelSet::find(Op op, Packing packing, std::uint32_t m) const {
  const auto fits = [&](const KernelVariant& row) {
    return row.op == op && (packing == Packing::None || row.packing == packing) &&
           supports(device_.info(), row, m) &&
           (!by_single_rows_ || supports(device_.info(), row, 1));
  };
  const auto is_preferred = [&](const KernelVariant& row) {
    return std::any_of(preferred_.begin(), preferred_.end(), [&](const std::string& part) {
      return row.name.find(part) != std::string_view::npos;
    });
  };
  const KernelVariant* first = nullptr;
  for (const KernelVariant& row : variants()) {
    if (!fits(row)) continue;
    if (is_preferred(row)) return &row;
    if (first == nullptr) first = &row;
  }
  return first;
}

Packing KernelSet::weight_packing() const {
  const KernelVariant* row = find(Op::Matmul, Packing::None, 1);
  if (row == nullptr) {
    throw UnsupportedError("no_variant", "no matmul variant runs on " + device_.info().name);
  }
  return row->packing;
}

const Kernel& KernelSet::get(Op op, Packing packing, std::uint32_t m) {
  const Use use = m == 1 ? Use::Single : by_single_rows_ ? Use::BatchesBySingleRows : Use::Batches;
  std::unique_ptr<Kernel>& slot = kernels_[{op, packing, use}];
  if (slot == nullptr) {
    const KernelVariant* row = find(op, packing, m);
    if (row == nullptr) {
      throw UnsupportedError(
          "no_variant", "no " + std::string(contract(op).name) + " variant for " +
                            std::string(packing_name(packing)) + " runs on " + device_.info().name);
    }
    slot = device_.prepare(*row);
  }
  return *slot;
}

void KernelSet::replace(const KernelVariant& variant) {
  for (const Use use : {Use::Single, Use::Batches, Use::BatchesBySingleRows}) {
    kernels_[{variant.op, variant.packing, use}] = device_.prepare(variant);
  }
}

}  // namespace rotor
