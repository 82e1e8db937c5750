// Compute pipelines of one device: one layout for all of them, and the cache on disk.
#pragma once

#include <string>

#include "runtime/vulkan_instance.h"
#include "runtime/vulkan_launch.h"

namespace rotor {

// Every kernel sees its buffers at bindings 0, 1, ... of set 0 and its parameters as push constants.
inline constexpr std::uint32_t kVulkanBindings = 7;
inline constexpr std::uint32_t kVulkanParamBytes = 32;

class VulkanPipelines {
 public:
  VulkanPipelines(VkDevice device, const VulkanTraits& traits);
  ~VulkanPipelines();
  VulkanPipelines(const VulkanPipelines&) = delete;
  VulkanPipelines& operator=(const VulkanPipelines&) = delete;

  // Compiles the module of a variant with the constants of `shape`. The caller destroys the pipeline.
  // `flags` may ask for statistics, where the device was created with them.
  // Throws DeviceError naming the variant, with fault Compile unless the device is lost.
  VkPipeline create(const KernelVariant& variant, const LaunchShape& shape,
                    VkPipelineCreateFlags flags = 0);

  VkDescriptorSetLayout set_layout() const { return set_layout_; }
  VkPipelineLayout layout() const { return layout_; }

 private:
  void save() noexcept;

  VkDevice device_;
  std::string cache_path_;
  std::size_t cache_bytes_on_disk_ = 0;
  VkDescriptorSetLayout set_layout_ = VK_NULL_HANDLE;
  VkPipelineLayout layout_ = VK_NULL_HANDLE;
  VkPipelineCache cache_ = VK_NULL_HANDLE;
};

}  // namespace rotor
