// Kernels whose work-groups wait for each other (Op::Layers): how many of them a device runs at once.
#pragma once

#include <cstdint>
#include <functional>

#include "runtime/device.h"

namespace rotor {

// The largest number of work-groups that met in trials of `kernel`, a Layers kernel without layers, with
// `use` called before each trial with the number to try. No driver promises that work-groups run at the
// same time, and none tells how many do. Throws UnsupportedError if not even one gets through.
std::uint32_t find_meeting_groups(Device& device, const Kernel& kernel,
                                  const std::function<void(std::uint32_t)>& use);

}  // namespace rotor
