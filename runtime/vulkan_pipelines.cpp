#include "runtime/vulkan_pipelines.h"

#include "runtime/vulkan_cache_file.h"

namespace rotor {
namespace {

// Drivers report what their compilers cannot do in many words, want of memory among them.
void check_compiled(VkResult result, const char* call, const KernelVariant& variant) {
  if (result == VK_SUCCESS) return;
  const bool lost = vulkan_fault(result) == DeviceFault::Lost;
  throw DeviceError(std::string(call) + " of " + std::string(variant.name) +
                        " failed: " + vulkan_result_name(result),
                    lost ? DeviceFault::Lost : DeviceFault::Compile);
}

}  // namespace

VulkanPipelines::VulkanPipelines(VkDevice device, const VulkanTraits& traits)
    : device_(device), cache_path_(pipeline_cache_path(traits.properties)) {
  VkDescriptorSetLayoutBinding bindings[kVulkanBindings];
  for (std::uint32_t i = 0; i < kVulkanBindings; ++i) {
    bindings[i] = {.binding = i,
                   .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                   .descriptorCount = 1,
                   .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  }
  const VkDescriptorSetLayoutCreateInfo set{
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
      .bindingCount = kVulkanBindings,
      .pBindings = bindings};
  vulkan_check(vkCreateDescriptorSetLayout(device_, &set, nullptr, &set_layout_),
               "vkCreateDescriptorSetLayout");
  const VkPushConstantRange range{.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                  .size = kVulkanParamBytes};
  const VkPipelineLayoutCreateInfo layout{.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                          .setLayoutCount = 1,
                                          .pSetLayouts = &set_layout_,
                                          .pushConstantRangeCount = 1,
                                          .pPushConstantRanges = &range};
  vulkan_check(vkCreatePipelineLayout(device_, &layout, nullptr, &layout_),
               "vkCreatePipelineLayout");
  const std::vector<std::byte> known = read_pipeline_cache(cache_path_, traits.properties);
  cache_bytes_on_disk_ = known.size();
  const VkPipelineCacheCreateInfo cache{.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                        .initialDataSize = known.size(),
                                        .pInitialData = known.data()};
  vulkan_check(vkCreatePipelineCache(device_, &cache, nullptr, &cache_), "vkCreatePipelineCache");
}

VulkanPipelines::~VulkanPipelines() {
  save();
  vkDestroyPipelineCache(device_, cache_, nullptr);
  vkDestroyPipelineLayout(device_, layout_, nullptr);
  vkDestroyDescriptorSetLayout(device_, set_layout_, nullptr);
}

VkPipeline VulkanPipelines::create(const KernelVariant& variant, const LaunchShape& shape,
                                   VkPipelineCreateFlags flags) {
  const std::span<const std::uint32_t> spirv = variant.spirv();
  const VkShaderModuleCreateInfo code{.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                      .codeSize = spirv.size_bytes(),
                                      .pCode = spirv.data()};
  VkShaderModule module = VK_NULL_HANDLE;
  check_compiled(vkCreateShaderModule(device_, &code, nullptr, &module), "vkCreateShaderModule",
                 variant);
  static_assert(sizeof(LaunchShape) == 4 * sizeof(std::uint32_t));
  VkSpecializationMapEntry entries[4];
  for (std::uint32_t i = 0; i < 4; ++i) {
    entries[i] = {.constantID = i,
                  .offset = i * static_cast<std::uint32_t>(sizeof(std::uint32_t)),
                  .size = sizeof(std::uint32_t)};
  }
  const VkSpecializationInfo constants{
      .mapEntryCount = 4, .pMapEntries = entries, .dataSize = sizeof shape, .pData = &shape};
  const VkComputePipelineCreateInfo info{
      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .flags = flags,
      .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
                .pSpecializationInfo = &constants},
      .layout = layout_};
  VkPipeline pipeline = VK_NULL_HANDLE;
  const VkResult result = vkCreateComputePipelines(device_, cache_, 1, &info, nullptr, &pipeline);
  vkDestroyShaderModule(device_, module, nullptr);
  check_compiled(result, "vkCreateComputePipelines", variant);
  return pipeline;
}

// Writes the cache if it grew. Nothing here may fail aloud: it runs when the device closes.
void VulkanPipelines::save() noexcept {
  try {
    std::size_t size = 0;
    if (cache_path_.empty() || vkGetPipelineCacheData(device_, cache_, &size, nullptr) < 0) return;
    if (size <= cache_bytes_on_disk_) return;
    std::vector<std::byte> data(size);
    if (vkGetPipelineCacheData(device_, cache_, &size, data.data()) != VK_SUCCESS) return;
    data.resize(size);
    write_pipeline_cache(cache_path_, data);
  } catch (const std::exception&) {  // out of host memory: no cache then
  }
}

}  // namespace rotor
