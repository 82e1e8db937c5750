// The tuning record: which variant, with which tile, serves a product best on a device. Written by
// `rotor-bench --tune`, read by whoever runs a model there. A record is advice: whatever is wrong with
// it, the choices of the registry's order remain.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/variant.h"
#include "runtime/device.h"

namespace rotor {

// Numbers of tokens that share a choice, and the number that is measured for all of them.
struct BatchClass {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t measured;
};
inline constexpr BatchClass kBatchClasses[] = {
    {1, 1, 1}, {2, 8, 5}, {9, 64, 32}, {65, std::numeric_limits<std::uint32_t>::max(), 128}};
const BatchClass& batch_class(std::uint32_t m);

// The best for a product of n outputs and k inputs.
struct TunedProduct {
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  std::uint32_t m = 0;  // as measured, which tells the batch class
  std::string variant;  // "vulkan/matmul_bitpacked_dot@16x1": the name in the registry
  Tile tile;            // as it was run: its own, or another that the variant declares
  double seconds = 0;   // median of a launch, and that of what serves without a record
  double default_seconds = 0;
};

// What a choice depends on: the device, its driver, and how it is used.
struct TuningKey {
  std::string backend;
  std::string name;
  std::string vendor_id;
  std::string device_id;
  std::string driver;
  std::string features;
  unsigned threads = 1;

  bool operator==(const TuningKey&) const = default;
};
TuningKey tuning_key(const DeviceInfo& device);

struct DeviceTuning {
  TuningKey key;
  std::vector<TunedProduct> products;
};

struct TuningRecord {
  std::vector<DeviceTuning> devices;

  // Replaces what was known of these matrices on this device; those of other models stay.
  void keep(DeviceTuning tuning);
};

// The record as JSON, and back. `name` appears in messages. Throws FormatError for whatever is not a
// record; variants and tiles that this program lacks are none of its business.
std::string write_tuning(const TuningRecord& record);
TuningRecord parse_tuning(std::string_view text, const std::string& name);

// ROTOR_TUNING, else tuning.json in $XDG_CACHE_HOME/rotor (else in ~/.cache/rotor). Empty if none of
// these variables is set: then nothing is kept.
std::string usual_tuning_file();

// A file of at most 1 MiB. Throws FormatError. An absent one is an empty record where `must_exist` is
// false.
TuningRecord load_tuning(const std::string& path, bool must_exist);
// Replaces the file in one step. Throws OutputError.
void save_tuning(const std::string& path, const TuningRecord& record);

struct TuningOptions {
  std::string file;  // empty: the usual one
  bool use = true;   // false: no record is looked at
};

// The choices for one device that this program can follow.
class Tuning {
 public:
  Tuning() = default;
  // Leaves out what the registry lacks or the device cannot run.
  Tuning(const DeviceInfo& device, const TuningRecord& record);
  // Looks where the options say. Throws FormatError where a file that was named is no record; what is
  // wrong with the usual one is a complaint.
  Tuning(const DeviceInfo& device, const TuningOptions& options);

  bool empty() const { return choices_.empty(); }
  std::size_t size() const { return choices_.size(); }
  // The row to use, with its tile, or nullptr.
  const KernelVariant* find(std::uint32_t n, std::uint32_t k, std::uint32_t m) const;
  // Why a record, or a part of it, is not used: a line each.
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct Choice {
    std::uint32_t n;
    std::uint32_t k;
    const BatchClass* batch;
    KernelVariant variant;
  };
  void add(const DeviceInfo& device, const TuningRecord& record, const std::string& name);

  std::vector<Choice> choices_;
  std::vector<std::string> complaints_;
};

}  // namespace rotor
