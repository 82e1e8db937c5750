// Kernels whose work-groups wait for each other (Op::Layers, Op::Products): how many of them a device
// runs at once.
#pragma once

#include <cstdint>
#include <functional>

#include "runtime/device.h"

namespace rotor {

// Whether the work-groups of an op's kernels on GPUs wait for each other.
constexpr bool has_meetings(Op op) {
  return op == Op::Layers || op == Op::Products;
}

// The largest number of work-groups, at most one for each of the device's `multiprocessors` (0: not
// known), that met in trials of `kernel`, run without layers, with `use` called before each trial with the
// number to try. (An H100 takes a quarter longer for Products with two to a multiprocessor than with one.)
// No driver promises that work-groups run at the same time, and none tells how many do. Throws
// UnsupportedError if not even one gets through.
std::uint32_t find_meeting_groups(Device& device, const Kernel& kernel,
                                  std::uint32_t multiprocessors,
                                  const std::function<void(std::uint32_t)>& use);

}  // namespace rotor
