// Vulkan through volk, and the one place where its results become errors.
#pragma once

#include <volk.h>

#include <string>

#include "core/error.h"

namespace rotor {

// "VK_ERROR_DEVICE_LOST (-4)".
std::string vulkan_result_name(VkResult result);

// Whether the device is lost, its memory short, or just this call failed.
DeviceFault vulkan_fault(VkResult result);

// Throws DeviceError naming the call and its code if the call failed.
void vulkan_check(VkResult result, const char* call);

}  // namespace rotor
