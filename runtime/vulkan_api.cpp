#include "runtime/vulkan_api.h"

namespace rotor {

std::string vulkan_result_name(VkResult result) {
  const std::string code = " (" + std::to_string(result) + ")";
  switch (result) {
    case VK_NOT_READY:
      return "VK_NOT_READY" + code;
    case VK_TIMEOUT:
      return "VK_TIMEOUT" + code;
    case VK_INCOMPLETE:
      return "VK_INCOMPLETE" + code;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
      return "VK_ERROR_OUT_OF_HOST_MEMORY" + code;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
      return "VK_ERROR_OUT_OF_DEVICE_MEMORY" + code;
    case VK_ERROR_INITIALIZATION_FAILED:
      return "VK_ERROR_INITIALIZATION_FAILED" + code;
    case VK_ERROR_DEVICE_LOST:
      return "VK_ERROR_DEVICE_LOST" + code;
    case VK_ERROR_MEMORY_MAP_FAILED:
      return "VK_ERROR_MEMORY_MAP_FAILED" + code;
    case VK_ERROR_LAYER_NOT_PRESENT:
      return "VK_ERROR_LAYER_NOT_PRESENT" + code;
    case VK_ERROR_EXTENSION_NOT_PRESENT:
      return "VK_ERROR_EXTENSION_NOT_PRESENT" + code;
    case VK_ERROR_FEATURE_NOT_PRESENT:
      return "VK_ERROR_FEATURE_NOT_PRESENT" + code;
    case VK_ERROR_INCOMPATIBLE_DRIVER:
      return "VK_ERROR_INCOMPATIBLE_DRIVER" + code;
    case VK_ERROR_TOO_MANY_OBJECTS:
      return "VK_ERROR_TOO_MANY_OBJECTS" + code;
    case VK_ERROR_FRAGMENTED_POOL:
      return "VK_ERROR_FRAGMENTED_POOL" + code;
    case VK_ERROR_OUT_OF_POOL_MEMORY:
      return "VK_ERROR_OUT_OF_POOL_MEMORY" + code;
    case VK_ERROR_UNKNOWN:
      return "VK_ERROR_UNKNOWN" + code;
    default:
      return "VkResult" + code;
  }
}

DeviceFault vulkan_fault(VkResult result) {
  switch (result) {
    case VK_ERROR_DEVICE_LOST:
      return DeviceFault::Lost;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
    case VK_ERROR_OUT_OF_DEVICE_MEMORY:
    case VK_ERROR_OUT_OF_POOL_MEMORY:
    case VK_ERROR_FRAGMENTED_POOL:
    case VK_ERROR_TOO_MANY_OBJECTS:
      return DeviceFault::Memory;
    default:
      return DeviceFault::Call;
  }
}

void vulkan_check(VkResult result, const char* call) {
  if (result < 0 || result == VK_TIMEOUT || result == VK_NOT_READY) {
    throw DeviceError(std::string(call) + " failed: " + vulkan_result_name(result),
                      vulkan_fault(result));
  }
}

}  // namespace rotor
