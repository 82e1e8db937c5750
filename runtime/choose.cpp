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

const KernelVariant* usual_matmul(const DeviceInfo& device, std::uint32_t m) {
  const auto first = [&](Packing packing, std::uint32_t tokens) -> const KernelVariant* {
    for (const KernelVariant& row : variants()) {
      const bool fits = packing == Packing::None || row.packing == packing;
      if (row.op == Op::Matmul && fits && supports(device, row, tokens)) return &row;
    }
    return nullptr;
  };
  const KernelVariant* single = first(Packing::None, 1);
  return single == nullptr ? nullptr : first(single->packing, m);
}

KernelSet::KernelSet(Device& device, std::vector<std::string> preferred, Tuning tuning)
    : device_(device), preferred_(std::move(preferred)), tuning_(std::move(tuning)) {
  for (const KernelVariant& row : variants()) {
    if (row.op == Op::Matmul && is_preferred(row)) tuning_ = {};
  }
}

bool KernelSet::is_preferred(const KernelVariant& row) const {
  return std::any_of(preferred_.begin(), preferred_.end(), [&](const std::string& part) {
    return row.name.find(part) != std::string_view::npos;
  });
}

const KernelVariant* KernelSet::find(Op op, Packing packing, std::uint32_t m) const {
  const auto fits = [&](const KernelVariant& row) {
    return row.op == op && (packing == Packing::None || row.packing == packing) &&
           supports(device_.info(), row, m) &&
           (!by_single_rows_ || supports(device_.info(), row, 1));
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

// Batches of this packing are to be served as well.
Packing KernelSet::weight_packing(std::uint32_t n, std::uint32_t k) const {
  const KernelVariant* row = tuning_.find(n, k, 1);
  const bool serves = row != nullptr && find(Op::Matmul, row->packing, 2) != nullptr;
  return serves ? row->packing : weight_packing();
}

const Kernel& KernelSet::product(Packing packing, const MatmulParams& params) {
  const std::uint32_t m = by_single_rows_ ? 1 : params.m;
  const KernelVariant* row = tuning_.find(params.n, params.k, m);
  if (row == nullptr || row->packing != packing || !supports(device_.info(), *row, params.m)) {
    return get(Op::Matmul, packing, params.m);
  }
  for (const std::unique_ptr<Kernel>& kernel : tuned_) {
    const KernelVariant& known = kernel->variant();
    if (known.name == row->name && known.tile == row->tile) return *kernel;
  }
  try {
    tuned_.push_back(device_.prepare(*row));
  } catch (const UnsupportedError&) {  // a record that was written for a device with more room
    tuning_ = {};
    return get(Op::Matmul, packing, params.m);
  }
  return *tuned_.back();
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

bool KernelSet::may_run_layers() const {
  const DeviceInfo& device = device_.info();
  if (replaced_ || device.backend == Backend::Cpu || device.kind == "software") return false;
  const KernelVariant* row = find(Op::Layers, Packing::None, 1);
  return row != nullptr && (preferred_.empty() || is_preferred(*row));
}

const Kernel* KernelSet::layers(Packing cache) {
  if (replaced_ || by_single_rows_) return nullptr;
  const auto known = layers_.find(cache);
  if (known != layers_.end()) return known->second.get();
  if (!may_run_layers()) return nullptr;
  std::unique_ptr<Kernel>& slot = layers_[cache];
  const KernelVariant* row = find(Op::Layers, cache, 1);
  if (row == nullptr) return nullptr;
  try {
    slot = device_.prepare(*row);
  } catch (const UnsupportedError&) {  // work-groups that cannot meet
  }
  return slot.get();
}

void KernelSet::replace(const KernelVariant& variant) {
  replaced_ = true;
  for (const Use use : {Use::Single, Use::Batches, Use::BatchesBySingleRows}) {
    kernels_[{variant.op, variant.packing, use}] = device_.prepare(variant);
  }
}

}  // namespace rotor
