// How a dispatch is laid out on a GPU: work-groups, and what it costs. Plain arithmetic, no driver.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/variant.h"

namespace rotor {

// What decides the size of a work-group.
struct LaunchLimits {
  std::uint32_t max_invocations = 128;
  std::uint32_t max_groups_x = 65535;
  std::uint32_t subgroup_size = 1;
  std::uint32_t multiprocessors = 0;  // 0: not known
  bool software = false;              // a CPU plays GPU: small groups, no lanes to fill
};

// The specialization constants of a shader, in the order of their ids.
struct LaunchShape {
  std::uint32_t invocations;  // 0: of a work-group
  std::uint32_t rows;         // 1: the variant's tile
  std::uint32_t tokens;       // 2
  std::uint32_t lanes;        // 3: invocations that share a row
};
LaunchShape launch_shape(const KernelVariant& variant, const LaunchLimits& limits);

// Invocations of a work-group of an op for which has_meetings(): its kernels need all of them.
std::uint32_t meeting_invocations(Op op);

// Number of work-groups in x, y, z. x counts tiles of rows (or what the shader says), folded into z
// where the device has a limit; y counts tiles of tokens.
std::array<std::uint32_t, 3> launch_groups(const KernelVariant& variant,
                                           std::span<const std::byte> params,
                                           const LaunchLimits& limits);

// Multiply-adds of one dispatch, roughly: submissions are cut by it. Attention counts the whole cache.
double launch_cost(const KernelVariant& variant, std::span<const std::byte> params);

}  // namespace rotor
