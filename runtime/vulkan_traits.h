// What one physical device is and can do.
#pragma once

#include <optional>
#include <string>

#include "runtime/vulkan_instance.h"
#include "runtime/vulkan_launch.h"

namespace rotor {

// The features that our kernels know and `mask` allows, and the facts for reports; nothing, with the
// reason, for a device that cannot run us.
std::optional<VulkanTraits> vulkan_traits(VkPhysicalDevice device, Features mask,
                                          std::string& reason);

// What decides the size of a work-group on it.
LaunchLimits launch_limits(const VulkanTraits& traits);

// Whether its driver can say what a pipeline became: registers, spills, instructions.
bool tells_what_it_compiled(const VulkanTraits& traits);

// The device object of `traits`, with exactly the features switched on that its info lists and, where
// asked for, what the driver says of its pipelines.
VkDevice create_vulkan_device(const VulkanTraits& traits, bool with_compiled = false);

}  // namespace rotor
