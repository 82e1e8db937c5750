// What is measured: registry x shapes x batches, as cases with names, and picking among them.
#pragma once

#include <cstdint>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/weights.h"
#include "runtime/device.h"

namespace rotor {

// The projections of BitNet b1.58 2B4T, single and fused (q, k, v on top of each other; gate, up).
std::span<const Shape> standard_shapes();
// Those of a model, single and fused, without repetitions.
std::vector<Shape> model_shapes(const Config& config);

inline constexpr std::uint32_t kBatches[] = {1, 5, 8, 32, 128};
inline constexpr std::uint32_t kHotBatches[] = {1, 128};  // timed with cached weights as well
// Positions of the token that goes through all layers: hardly a cache, and a long one.
inline constexpr std::uint32_t kLayersPositions[] = {4, 2047};

// Whose shapes are meant where nobody named a model.
inline constexpr const char* kUsualModel = "synthetic:2b4t/1";

bool is_matmul(Op op);

// Patterns on case names. Every plain one must match somewhere in the name and none of those that
// begin with '-' (without it) may.
class Filter {
 public:
  // Throws UsageError for a pattern that is no regular expression.
  explicit Filter(const std::vector<std::string>& patterns);
  bool matches(const std::string& id) const;
  bool empty() const { return wanted_.empty() && unwanted_.empty(); }

 private:
  std::vector<std::regex> wanted_;
  std::vector<std::regex> unwanted_;
};

// One planned case: its row of the registry, and a result that waits for its verdict. Where the
// device cannot run it the verdict is there already, with the reason.
struct PlannedCase {
  const KernelVariant* variant;
  CaseResult result;
};

// Every matmul row of the device's backend on every shape and batch, cold, and hot where that is
// asked. `repro` is the command that each case's own filter is appended to.
std::vector<PlannedCase> plan_matmul(const DeviceInfo& device, std::span<const Shape> shapes,
                                     const Filter& filter, std::uint64_t seed,
                                     const std::string& repro);

// Every row of the device's backend that runs all layers of a model at once, with a short cache and a long
// one, or their products alone. Not those of the CPU: composites of portable kernels, there to be compared
// with, which nobody runs.
std::vector<PlannedCase> plan_layers(const DeviceInfo& device, const Config& config,
                                     const Filter& filter, std::uint64_t seed,
                                     const std::string& repro);

// The cases of the gate: few enough for a round in a second. The device's first choice for a token on
// two shapes from memory and one from the cache, and for 32 tokens; its first rows with int8 weights
// and with FP16 activations.
std::vector<PlannedCase> plan_gate(const DeviceInfo& device, const Filter& filter,
                                   std::uint64_t seed, const std::string& repro);

// "vulkan/layers_f16/l30_h2560_f6912_q20_kv5_d128_p4"; products, for which the position is nothing, go
// without.
std::string layers_case_id(const KernelVariant& variant, std::uint32_t hidden,
                           const LayersShape& shape);

// "cpu/matmul_bitpacked_avx2/n2560_k6912_b1", with "/hot" behind it for cached weights.
std::string case_id(const KernelVariant& variant, const Shape& shape, std::uint32_t m, bool hot);

// How many buffers cold weights must be rotated through, so that together with the outputs they are
// larger than twice the last-level cache (64 MiB where its size is unknown).
std::uint32_t rotate_buffers(std::uint64_t bytes_each, std::size_t cache_bytes);

}  // namespace rotor
