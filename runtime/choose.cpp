#include "runtime/choose.h"

#include <algorithm>

#include "core/error.h"

namespace rotor {
namespace {

// What fills wide tiles of 128 rows x 64 tokens: one in tokens, 40 in all. On an H100 (132 multiprocessors) 40
// and 60 of them, at 128 tokens, are 7 and 9 % faster than narrow ones; 10 are 13 % slower, and where 32
// tokens half fill 108 of them, 60 %.
constexpr std::uint32_t kWideTokens = 64;
constexpr std::uint64_t kLargeProduct = 40 * 128 * kWideTokens;

constexpr std::uint32_t kNarrowTokens = 32;  // of a tile

bool is_large(std::uint32_t m, std::uint32_t n) {
  return m >= kWideTokens && std::uint64_t{m} * n >= kLargeProduct;
}

}  // namespace

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

bool is_wide(const KernelVariant& variant) {
  return variant.tile.tokens > kNarrowTokens;
}

bool suits(const KernelVariant& variant, std::uint32_t m, std::uint32_t n) {
  return !is_wide(variant) || is_large(m, n);
}

const KernelVariant* usual_matmul(const DeviceInfo& device, std::uint32_t m, std::uint32_t n) {
  const auto first = [&](Packing packing, std::uint32_t tokens) -> const KernelVariant* {
    for (const KernelVariant& row : variants()) {
      const bool fits = packing == Packing::None || row.packing == packing;
      if (row.op != Op::Matmul || !fits || !suits(row, tokens, n)) continue;
      if (supports(device, row, tokens)) return &row;
    }
    return nullptr;
  };
  const KernelVariant* single = first(Packing::None, 1);
  return single == nullptr ? nullptr : first(single->packing, m);
}

KernelSet::KernelSet(Device& device, std::vector<std::string> preferred, Tuning tuning)
    : device_(device), preferred_(std::move(preferred)), tuning_(std::move(tuning)) {
  for (const std::string& part : preferred_) check_preferred(part);
  for (const KernelVariant& row : variants()) {
    if (row.op == Op::Matmul && is_preferred(row)) tuning_ = {};
  }
}

void KernelSet::check_preferred(const std::string& part) const {
  const DeviceInfo& info = device_.info();
  const bool known = std::any_of(variants().begin(), variants().end(), [&](const auto& row) {
    return row.name.find(part) != std::string_view::npos &&
           (supports(info, row, 1) || supports(info, row, 2));
  });
  if (known && !part.empty()) return;
  throw UsageError("--kernel '" + part + "': no variant that runs on " + info.name +
                   " has this in its name; rotor-bench --list-variants tells the names");
}

bool KernelSet::is_preferred(const KernelVariant& row) const {
  return std::any_of(preferred_.begin(), preferred_.end(), [&](const std::string& part) {
    return row.name.find(part) != std::string_view::npos;
  });
}

const KernelVariant* KernelSet::find(Op op, Packing packing, std::uint32_t m,
                                     std::uint32_t n) const {
  const auto fits = [&](const KernelVariant& row) {
    return row.op == op && (packing == Packing::None || row.packing == packing) &&
           supports(device_.info(), row, m) &&
           (!by_single_rows_ || supports(device_.info(), row, 1));
  };
  const KernelVariant* best = nullptr;
  int best_rank = -1;
  for (const KernelVariant& row : variants()) {
    if (!fits(row)) continue;
    const int rank = (is_preferred(row) ? 2 : 0) + (suits(row, m, n) ? 1 : 0);
    if (rank <= best_rank) continue;
    best = &row;
    best_rank = rank;
  }
  return best;
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
    return get(Op::Matmul, packing, params.m, params.n);
  }
  // A row that was best for so few tokens that wide tiles lay idle is not best for many, nor the other way
  // round.
  if (is_large(m, params.n) != is_large(batch_class(m).measured, params.n)) {
    const Kernel& usual = get(Op::Matmul, packing, params.m, params.n);
    if (is_wide(usual.variant()) != is_wide(*row)) return usual;
  }
  for (const std::unique_ptr<Kernel>& kernel : tuned_) {
    const KernelVariant& known = kernel->variant();
    if (known.name == row->name && known.tile == row->tile) return *kernel;
  }
  // A record may be of a device with more room, or of a driver that could compile it.
  std::unique_ptr<Kernel> kernel = prepared(*row);
  if (kernel == nullptr) {
    tuning_ = {};
    return get(Op::Matmul, packing, params.m, params.n);
  }
  tuned_.push_back(std::move(kernel));
  return *tuned_.back();
}

// A kernel that can be done without; none where the device or its compiler refuses it.
std::unique_ptr<Kernel> KernelSet::prepared(const KernelVariant& variant) {
  try {
    return device_.prepare(variant);
  } catch (const UnsupportedError&) {
    return nullptr;
  } catch (const DeviceError& error) {
    if (error.fault() != DeviceFault::Compile) throw;
    return nullptr;
  }
}

const Kernel& KernelSet::get(Op op, Packing packing, std::uint32_t m, std::uint32_t n) {
  const Use use = m == 1            ? Use::Single
                  : by_single_rows_ ? Use::BatchesBySingleRows
                  : is_large(m, n)  ? Use::LargeBatches
                                    : Use::Batches;
  std::unique_ptr<Kernel>& slot = kernels_[{op, packing, use}];
  if (slot == nullptr) {
    const KernelVariant* row = find(op, packing, m, n);
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
  slot = prepared(*row);  // none where work-groups cannot meet
  return slot.get();
}

void KernelSet::replace(const KernelVariant& variant) {
  replaced_ = true;
  for (const Use use : {Use::Single, Use::Batches, Use::LargeBatches, Use::BatchesBySingleRows}) {
    kernels_[{variant.op, variant.packing, use}] = device_.prepare(variant);
  }
}

}  // namespace rotor
