// What one physical device is and can do.
#pragma once

#include <optional>
#include <string>

#include "runtime/vulkan_instance.h"

namespace rotor {

// The features that our kernels know and `mask` allows, and the facts for reports; nothing, with the
// reason, for a device that cannot run us.
std::optional<VulkanTraits> vulkan_traits(VkPhysicalDevice device, Features mask,
                                          std::string& reason);

// The device object of `traits`, with exactly the features switched on that its info lists.
VkDevice create_vulkan_device(const VulkanTraits& traits);

}  // namespace rotor
