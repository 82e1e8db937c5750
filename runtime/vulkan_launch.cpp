#include "runtime/vulkan_launch.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/layers_layout.h"
#include "kernels/products_layout.h"
#include "runtime/meeting.h"

namespace rotor {
namespace {

template <typename Params>
Params read(std::span<const std::byte> bytes) {
  Params params;
  std::memcpy(&params, bytes.data(), sizeof params);
  return params;
}

std::uint32_t tiles(std::uint32_t count, std::uint32_t tile) {
  return (count + tile - 1) / tile;
}

// Tiled kernels give each invocation 4 x 4 outputs (shaders/matmul_tiled.glsl).
constexpr std::uint32_t kOutputsPerInvocation = 16;

// On matrix units four subgroups share a tile of whatever size, one for each quarter of a multiprocessor:
// larger tiles mean larger blocks in registers (shaders/matmul_bitpacked_coop.comp).
constexpr std::uint32_t kMatrixInvocations = 4 * 32;

// shaders/attention_tiled.glsl shares the result of a query among so many.
constexpr std::uint32_t kInvocationsPerQuery = 8;

bool is_matmul(Op op) {
  return op == Op::Matmul || op == Op::MatmulHalf;
}

}  // namespace

// One work-group has a multiprocessor, so that few of them wait for each other. On an H100 more than 256 leave
// too few registers to each in Layers: 384, 512 took 15 and 25 % longer. In Products subgroups mostly wait
// for themselves; 768 took a quarter longer, 1,024 half as long again.
std::uint32_t meeting_invocations(Op op) {
  return op == Op::Layers ? 256 : 512;
}

LaunchShape launch_shape(const KernelVariant& variant, const LaunchLimits& limits) {
  LaunchShape shape{.invocations = 128,
                    .rows = variant.tile.rows,
                    .tokens = variant.tile.tokens,
                    .lanes = limits.software ? 4u : 16u};
  if (variant.op == Op::Calculate) {  // a lane each
    shape.invocations = shape.rows;
    return shape;
  }
  if (is_matmul(variant.op) && variant.batch == Batch::Many) {
    const bool matrices = (variant.needs & feature::CoopMatrix) != 0;
    shape.invocations =
        matrices ? kMatrixInvocations : shape.rows * shape.tokens / kOutputsPerInvocation;
    if (variant.tile.group != 0) shape.invocations = variant.tile.group;
    return shape;
  }
  if (variant.op == Op::Attention && variant.batch == Batch::Many) {
    shape.invocations = kInvocationsPerQuery * shape.tokens;
    return shape;
  }
  if (has_meetings(variant.op)) {
    shape.invocations = meeting_invocations(variant.op);
  } else if (variant.needs & feature::Subgroups) {
    shape.invocations = 4 * limits.subgroup_size;
  } else if (limits.software) {
    shape.invocations = 32;
  } else if (!is_matmul(variant.op) && variant.op != Op::Head) {
    shape.invocations =
        variant.op == Op::Rope ? 128 : 512;  // a work-group has a whole row to itself
  }
  // Reductions fold halves, and a device may allow 384.
  shape.invocations = std::min(shape.invocations, std::bit_floor(limits.max_invocations));
  if (variant.tile.group != 0) shape.invocations = variant.tile.group;
  if (variant.tile.lanes != 0) shape.lanes = variant.tile.lanes;
  return shape;
}

std::array<std::uint32_t, 3> launch_groups(const KernelVariant& variant,
                                           std::span<const std::byte> params,
                                           const LaunchLimits& limits) {
  std::uint32_t x = 0;
  std::uint32_t y = 1;
  switch (variant.op) {
    case Op::Matmul:
    case Op::MatmulHalf:
    case Op::MatmulDense: {
      const auto p = read<MatmulParams>(params);
      x = tiles(p.n, variant.tile.rows);
      y = tiles(p.m, variant.tile.tokens);
      break;
    }
    case Op::Head: {
      const auto p = read<HeadParams>(params);
      x = tiles(p.n, variant.tile.rows);
      y = tiles(p.m, variant.tile.tokens);
      break;
    }
    case Op::Rope: {
      const auto p = read<AttentionParams>(params);
      x = p.heads + 2 * p.kv_heads;
      y = p.m;
      break;
    }
    case Op::Attention: {
      const auto p = read<AttentionParams>(params);
      x = p.heads;
      y = tiles(p.m, variant.tile.tokens);
      break;
    }
    case Op::Calculate:
      x = tiles(index_space(variant.op, params), variant.tile.rows);
      break;
    default:
      y = index_space(variant.op, params);
      x = 1;
  }
  const std::uint32_t z = tiles(std::max(x, 1u), limits.max_groups_x);
  return {tiles(x, z), y, z};
}

double launch_cost(const KernelVariant& variant, std::span<const std::byte> params) {
  switch (variant.op) {
    case Op::Matmul:
    case Op::MatmulHalf:
    case Op::MatmulDense: {
      const auto p = read<MatmulParams>(params);
      return double(p.m) * p.n * p.k;
    }
    case Op::Head: {
      const auto p = read<HeadParams>(params);
      return double(p.m) * p.n * p.k;
    }
    case Op::Embed: {
      const auto p = read<EmbedParams>(params);
      return double(p.m) * p.k;
    }
    case Op::Rope: {
      const auto p = read<AttentionParams>(params);
      return 8.0 * p.m * (p.heads + 2 * p.kv_heads) * p.head_dim;
    }
    case Op::Attention: {
      const auto p = read<AttentionParams>(params);
      return 2.0 * p.m * p.heads * p.head_dim * p.capacity;
    }
    case Op::TopK: {
      const auto p = read<TopKParams>(params);
      return 4.0 * p.n * p.count;
    }
    case Op::Calculate: {
      const auto p = read<CalculateParams>(params);
      return double(ROTOR_SUMS) * ROTOR_STEPS * p.lanes * p.rounds;
    }
    case Op::Layers: {
      const auto p = read<LayersParams>(params);
      const double per_layer =
          double(p.hidden) * (qkv_rows(p) + q_rows(p) + 3.0 * p.ffn) + 2.0 * q_rows(p) * p.capacity;
      return p.layers * per_layer;
    }
    case Op::Products: {
      const auto p = read<ProductsParams>(params);
      return double(p.layers) * p.hidden * (p.qkv_rows + p.q_rows + 3.0 * p.ffn);
    }
    default: {
      const auto p = read<NormParams>(params);
      return 64.0 * p.m * p.k;
    }
  }
}

}  // namespace rotor
