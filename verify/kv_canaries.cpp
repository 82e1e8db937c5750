// The eleven cache bugs of measuring-and-verifying A.5, injected into kernels or cache memory.

#include "verify/kv_canaries.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "verify/kv_ab.h"

namespace rotor {
namespace {

constexpr std::uint32_t kBlock = 32;    // positions: the block and the window of the bugs below
constexpr std::uint32_t kBadLayer = 1;  // where a bug hits one layer only

// --- Rotation -----------------------------------------------------------------------------------

enum class RopeBug : std::uint8_t { PlusOne, KeyNotRotated, SlotPlusOne, ChunkLocal };

void right_rope(const CpuCall& call) {
  static const CpuKernel kernel = find_variant("cpu/rope_f32_portable")->cpu;
  kernel(call);
}

// Wrong where the cache holds something already, as an error in bookkeeping would be: a shift of all
// positions alike changes no score.
template <RopeBug kBug>
void wrong_rope(const CpuCall& call) noexcept {
  const auto& p = call.parameters<AttentionParams>();
  const std::ptrdiff_t position = *call.buffer<const std::uint32_t>(1);
  if (position == 0) {
    right_rope(call);
    return;
  }
  const std::ptrdiff_t angle_bytes = p.head_dim * sizeof(float);
  const std::ptrdiff_t row_bytes = std::ptrdiff_t{p.kv_heads} * p.head_dim * sizeof(float);
  std::byte* buffers[5];
  std::copy_n(call.buffers, 5, buffers);
  if constexpr (kBug == RopeBug::PlusOne) buffers[2] += angle_bytes;
  if constexpr (kBug == RopeBug::ChunkLocal) buffers[2] -= position * angle_bytes;
  if constexpr (kBug == RopeBug::SlotPlusOne) {
    buffers[3] += row_bytes;
    buffers[4] += row_bytes;
  }
  right_rope({buffers, call.params, call.begin, call.end, call.scratch});
  if constexpr (kBug == RopeBug::KeyNotRotated) {
    const std::ptrdiff_t width = std::ptrdiff_t{p.heads + 2 * p.kv_heads} * p.head_dim;
    for (std::ptrdiff_t t = call.begin; t < static_cast<std::ptrdiff_t>(call.end); ++t) {
      const float* keys = call.buffer<const float>(0) + t * width + p.heads * p.head_dim;
      std::memcpy(buffers[3] + (position + t) * row_bytes, keys,
                  static_cast<std::size_t>(row_bytes));
    }
  }
}

// --- Attention ----------------------------------------------------------------------------------

enum class AttentionBug : std::uint8_t {
  None,
  StaleRow,
  LostBlockRow,
  CurrentHidden,
  GroupMap,
  WindowOff,
};

template <AttentionBug kBug>
bool sees(std::uint32_t row, std::uint32_t query) {
  switch (kBug) {
    case AttentionBug::StaleRow:
      return row <= query + 1;
    case AttentionBug::LostBlockRow:
      return row <= query && (row != kBlock - 1 || query < kBlock);
    case AttentionBug::CurrentHidden:
      return row < query || query == 0;
    case AttentionBug::WindowOff:
      return row <= query && row + kBlock > query;
    default:
      return row <= query;
  }
}

// Attention in two passes, one output row: maximum and weights, then values.
template <AttentionBug kBug>
void attend(const AttentionParams& p, const float* q, const float* keys, const float* values,
            std::uint32_t query, double* weights, float* out) {
  const std::size_t stride = std::size_t{p.kv_heads} * p.head_dim;
  const std::uint32_t rows = std::min(query + 2, p.capacity);
  double top = -1e300;
  for (std::uint32_t row = 0; row < rows; ++row) {
    if (!sees<kBug>(row, query)) continue;
    double score = 0;
    for (std::size_t i = 0; i < p.head_dim; ++i) score += double{q[i]} * keys[row * stride + i];
    weights[row] = score / std::sqrt(static_cast<double>(p.head_dim));
    top = std::max(top, weights[row]);
  }
  double sum = 0;
  for (std::uint32_t row = 0; row < rows; ++row) {
    weights[row] = sees<kBug>(row, query) ? std::exp(weights[row] - top) : 0;
    sum += weights[row];
  }
  for (std::size_t i = 0; i < p.head_dim; ++i) {
    double value = 0;
    for (std::uint32_t row = 0; row < rows; ++row) {
      if (sees<kBug>(row, query)) value += weights[row] * values[row * stride + i];
    }
    out[i] = static_cast<float>(value / sum);
  }
}

template <AttentionBug kBug>
void wrong_attention(const CpuCall& call) noexcept {
  const auto& p = call.parameters<AttentionParams>();
  const std::uint32_t position = *call.buffer<const std::uint32_t>(1);
  const std::size_t width = std::size_t{p.heads + 2 * p.kv_heads} * p.head_dim;
  auto* weights = reinterpret_cast<double*>(call.scratch);  // [capacity]
  for (std::uint32_t i = call.begin; i < call.end; ++i) {
    const std::uint32_t t = i / p.heads;
    const std::uint32_t head = i % p.heads;
    const std::uint32_t kv_head =
        kBug == AttentionBug::GroupMap ? head % p.kv_heads : head / (p.heads / p.kv_heads);
    const std::size_t first = std::size_t{kv_head} * p.head_dim;
    attend<kBug>(p, call.buffer<const float>(0) + t * width + std::size_t{head} * p.head_dim,
                 call.buffer<const float>(2) + first, call.buffer<const float>(3) + first,
                 position + t, weights, call.buffer<float>(4) + std::size_t{i} * p.head_dim);
  }
}

// --- Cache memory -------------------------------------------------------------------------------

std::size_t position_bytes(const Config& config) {
  return std::size_t{config.kv_heads} * config.head_dim * sizeof(float);
}

// The write of every 32nd token of one layer is lost: the row is what fresh memory holds.
void drop_writes(Device& device, const Config& config, KvCache& cache, std::uint32_t layer,
                 std::uint32_t m) {
  if (layer != kBadLayer) return;
  const std::vector<std::byte> zeros(position_bytes(config));
  for (std::uint32_t position = cache.length() - m; position < cache.length(); ++position) {
    if (position % kBlock != kBlock - 1) continue;
    for (const View& half : {cache.keys(layer), cache.values(layer)}) {
      device.write({*half.buffer, half.offset + position * zeros.size(), zeros.size()}, zeros);
    }
  }
}

// Values of the layer before.
void copy_values(Device& device, const Config& config, KvCache& cache, std::uint32_t layer,
                 std::uint32_t m) {
  if (layer == 0) return;
  const std::size_t bytes = position_bytes(config);
  const std::size_t offset = (cache.length() - m) * bytes;
  std::vector<std::byte> rows(m * bytes);
  const View from = cache.values(layer - 1);
  const View to = cache.values(layer);
  device.read({*from.buffer, from.offset + offset, rows.size()}, rows);
  device.write({*to.buffer, to.offset + offset, rows.size()}, rows);
}

KernelVariant f32_kernel(std::string_view name, Op op, CpuKernel kernel) {
  return {name, Backend::Cpu, op, Packing::F32, feature::Baseline, Batch::Any, {}, kernel};
}

KvCanary rope_canary(std::string_view name, CpuKernel kernel) {
  return {.name = name, .kernel = f32_kernel(name, Op::Rope, kernel), .writes_wrong_rows = true};
}

KvCanary attention_canary(std::string_view name, CpuKernel kernel) {
  return {.name = name, .kernel = f32_kernel(name, Op::Attention, kernel)};
}

}  // namespace

std::vector<KvCanary> kv_canaries() {
  using enum AttentionBug;
  std::vector<KvCanary> canaries = {
      {.name = "dropped_writes", .disturb = drop_writes, .writes_wrong_rows = true},
      attention_canary("stale_row_visible", wrong_attention<StaleRow>),
      rope_canary("rotation_plus_one", wrong_rope<RopeBug::PlusOne>),
      rope_canary("key_not_rotated", wrong_rope<RopeBug::KeyNotRotated>),
      rope_canary("slot_plus_one", wrong_rope<RopeBug::SlotPlusOne>),
      rope_canary("chunk_local_positions", wrong_rope<RopeBug::ChunkLocal>),
      attention_canary("lost_block_row", wrong_attention<LostBlockRow>),
      {.name = "values_of_layer_before", .disturb = copy_values, .writes_wrong_rows = true},
      attention_canary("current_token_hidden", wrong_attention<CurrentHidden>),
      attention_canary("wrong_group_of_heads", wrong_attention<GroupMap>),
      attention_canary("window_too_short", wrong_attention<WindowOff>),
  };
  return canaries;
}

KvCanary kv_control() {
  return attention_canary("two_passes", wrong_attention<AttentionBug::None>);
}

std::vector<KvResult> run_canary(KernelSet& kernels, KvRunner& runner, const KvCanary& canary) {
  runner.prepare(Packing::F32);
  std::optional<KernelVariant> right;
  if (canary.kernel) {
    right = kernels.get(canary.kernel->op, Packing::F32, 1).variant();
    kernels.replace(*canary.kernel);
  }
  // Old rows look right, so that a bug must show by what it computes, not by a NaN.
  const auto variants = kv_variants(runner.positions());
  const auto reuse = std::find_if(variants.begin(), variants.end(),
                                  [](const KvVariant& v) { return v.name == "reuse"; });
  std::vector<KvResult> results = runner.lockstep(*reuse, canary.disturb);
  if (right) kernels.replace(*right);
  return results;
}

SelfTest run_kv_self_test(Device& cpu, std::uint64_t seed) {
  constexpr std::uint32_t kPositions = 72;  // two blocks and a bit
  KernelSet kernels(cpu);
  const std::unique_ptr<Checkpoint> model = random_untied_model(seed);
  KvRunner runner(kernels, *model, "random", seed, kPositions);
  SelfTest result;
  for (const KvCanary& canary : kv_canaries()) {
    const std::vector<KvResult> found = run_canary(kernels, runner, canary);
    const bool rows_wrong = found[1].status == Status::FailVerify;
    ++result.mutants;
    if (found[0].status == Status::FailVerify && rows_wrong == canary.writes_wrong_rows) {
      ++result.caught;
    } else {
      result.missed.emplace_back(canary.name);
    }
  }
  for (const KvResult& control : run_canary(kernels, runner, kv_control())) {
    if (control.status != Status::Pass) result.missed.emplace_back("control (must pass)");
  }
  return result;
}

}  // namespace rotor
