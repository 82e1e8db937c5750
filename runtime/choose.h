// Which variant serves which op on a device.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "runtime/device.h"
#include "runtime/tuning.h"

namespace rotor {

// Why a device cannot run a variant: a reason code ("no_avx2", "other_backend", "batch") and a
// sentence; both empty if it can. `m` tokens per run.
struct Support {
  std::string reason_code;
  std::string message;
  explicit operator bool() const { return reason_code.empty(); }
};
Support supports(const DeviceInfo& device, const KernelVariant& variant, std::uint32_t m);

// Whether a row's tiles have more than 32 tokens.
bool is_wide(const KernelVariant& variant);

// Whether a row should be taken, unless told otherwise, for a product of m tokens and n outputs: wide ones
// only where there are enough of their tiles to keep a large GPU busy. They serve others as well.
bool suits(const KernelVariant& variant, std::uint32_t m, std::uint32_t n);

// What a KernelSet takes, unless told otherwise, for m tokens by ternary weights of n outputs: the packing of
// the first row for single tokens, and of the rows that suit and have that packing the first. nullptr if the
// device has none.
const KernelVariant* usual_matmul(const DeviceInfo& device, std::uint32_t m, std::uint32_t n);

// The prepared kernels of one device. The order of the registry decides; variants whose name
// contains one of `preferred` come first. Products of weights follow the tuning, unless a variant of
// theirs is preferred, or wide tiles are full (or idle) and were not where the tuning measured.
class KernelSet {
 public:
  // Throws UsageError if the device runs no variant with one of `preferred` in its name.
  explicit KernelSet(Device& device, std::vector<std::string> preferred = {}, Tuning tuning = {});

  Device& device() const { return device_; }
  const Tuning& tuning() const { return tuning_; }

  // The layout for ternary weights: that of the best variant for single tokens.
  Packing weight_packing() const;
  // That of a matrix of n outputs and k inputs: as tuned for single tokens.
  Packing weight_packing(std::uint32_t n, std::uint32_t k) const;

  // The kernel for an op on data of this packing and m tokens a run, prepared on first use. Throws
  // UnsupportedError if the device has none.
  const Kernel& get(Op op, Packing packing, std::uint32_t m) { return get(op, packing, m, 0); }
  // The kernel for a product with weights of this packing, as tuned for its shape and batch.
  const Kernel& product(Packing packing, const MatmulParams& params);

  // Whether weights should lie as such a kernel reads them: layers() may find one.
  bool may_run_layers() const;
  // The kernel that runs all layers of a token at once on a cache of this format; nullptr where the device
  // has none, and where others are asked for: by name, or by replacing a kernel.
  const Kernel* layers(Packing cache);

  // While this is set, batches go through the rows for single tokens, and so do single tokens, not all
  // layers at once: the same results but for rounding, which tells a test how much rounding alone does.
  void set_batches_by_single_rows(bool on) { by_single_rows_ = on; }
  bool batches_by_single_rows() const { return by_single_rows_; }

  // Uses this variant, in the registry or not, for its op from now on. For tests that inject bugs.
  void replace(const KernelVariant& variant);

 private:
  // n outputs, where the op is a product and the choice may depend on them; else 0.
  const KernelVariant* find(Op op, Packing packing, std::uint32_t m, std::uint32_t n = 0) const;
  const Kernel& get(Op op, Packing packing, std::uint32_t m, std::uint32_t n);
  std::unique_ptr<Kernel> prepared(const KernelVariant& variant);
  void check_preferred(const std::string& part) const;
  bool is_preferred(const KernelVariant& row) const;

  Device& device_;
  std::vector<std::string> preferred_;
  Tuning tuning_;
  bool by_single_rows_ = false;
  bool replaced_ = false;
  std::map<Packing, std::unique_ptr<Kernel>> layers_;  // none: tried in vain
  enum class Use : std::uint8_t { Single, Batches, LargeBatches, BatchesBySingleRows };
  std::map<std::tuple<Op, Packing, Use>, std::unique_ptr<Kernel>> kernels_;
  std::vector<std::unique_ptr<Kernel>> tuned_;
};

}  // namespace rotor
