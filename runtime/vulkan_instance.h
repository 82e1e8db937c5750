// The Vulkan loader, and what it knows of the devices here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/devices.h"
#include "runtime/vulkan_api.h"

namespace rotor {

// One physical device that can run us, and what the device object needs of it.
struct VulkanTraits {
  DeviceInfo info;
  VkPhysicalDevice physical = VK_NULL_HANDLE;
  VkPhysicalDeviceProperties properties{};
  VkPhysicalDeviceMemoryProperties memory{};
  std::uint32_t multiprocessors = 0;      // 0: not known
  std::uint32_t subgroup_size = 1;        // as the driver prefers it
  std::uint32_t queue_family = 0;         // computes; has timestamps if any family does
  std::uint32_t timestamp_bits = 0;       // valid ones; 0 means no device clock
  bool integer_dot_by_extension = false;  // API below 1.3: the extension must be switched on
};

// The connection to the loader. One per process, which is never closed: a driver that is loaded anew for
// each has been seen to run out after some fifteen times (NVIDIA 580: VK_ERROR_INCOMPATIBLE_DRIVER).
class VulkanInstance {
 public:
  // Connects at the first call. Throws UnsupportedError if there is no loader or no driver, or if
  // validation is asked for (ROTOR_VK_VALIDATION=1) and the layer is not installed.
  static const VulkanInstance& get();
  VulkanInstance(const VulkanInstance&) = delete;
  VulkanInstance& operator=(const VulkanInstance&) = delete;

  // Real devices before software ones, else in the loader's order. Devices that cannot run us (API
  // below 1.2, no compute queue) are left out; `reason` then says why.
  std::vector<VulkanTraits> devices(Features mask, std::string& reason) const;

 private:
  VulkanInstance();

  VkInstance instance_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
};

// Complaints of the validation layers: added from any thread, never removed.
void add_vulkan_complaint(const char* text);
std::size_t vulkan_complaint_count();

}  // namespace rotor
