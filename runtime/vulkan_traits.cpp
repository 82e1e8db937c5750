#include "runtime/vulkan_traits.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace rotor {
namespace {

// The feature structures that we ask for and switch on, linked. Does not move.
struct FeatureChain {
  VkPhysicalDeviceFeatures2 base{.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
  VkPhysicalDeviceVulkan11Features v11{.sType =
                                           VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES};
  VkPhysicalDeviceVulkan12Features v12{.sType =
                                           VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot{
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
  VkPhysicalDeviceCooperativeMatrixFeaturesNV matrix{
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_NV};
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR compiled{
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
      .pipelineExecutableInfo = VK_TRUE};

  FeatureChain(bool with_dot, bool with_matrix, bool with_compiled = false) {
    base.pNext = &v11;
    v11.pNext = &v12;
    void** end = &v12.pNext;
    if (with_dot) end = &(*static_cast<decltype(dot)*>(*end = &dot)).pNext;
    if (with_matrix) end = &(*static_cast<decltype(matrix)*>(*end = &matrix)).pNext;
    if (with_compiled) *end = &compiled;
  }
  FeatureChain(const FeatureChain&) = delete;
  FeatureChain& operator=(const FeatureChain&) = delete;
};

bool has_extension(VkPhysicalDevice device, const char* name) {
  std::uint32_t count = 0;
  vulkan_check(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr),
               "vkEnumerateDeviceExtensionProperties");
  std::vector<VkExtensionProperties> list(count);
  vulkan_check(vkEnumerateDeviceExtensionProperties(device, nullptr, &count, list.data()),
               "vkEnumerateDeviceExtensionProperties");
  for (const VkExtensionProperties& e : list) {
    if (std::strcmp(e.extensionName, name) == 0) return true;
  }
  return false;
}

// Whether the device multiplies 16 x 32 by 32 x 16 signed bytes into 32-bit sums, a subgroup at a time:
// what shaders/matmul_bitpacked_coop.comp is made of.
bool multiplies_byte_matrices(VkPhysicalDevice device) {
  std::uint32_t count = 0;
  vulkan_check(vkGetPhysicalDeviceCooperativeMatrixPropertiesNV(device, &count, nullptr),
               "vkGetPhysicalDeviceCooperativeMatrixPropertiesNV");
  const VkCooperativeMatrixPropertiesNV empty{
      .sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_NV};
  std::vector<VkCooperativeMatrixPropertiesNV> list(count, empty);
  vulkan_check(vkGetPhysicalDeviceCooperativeMatrixPropertiesNV(device, &count, list.data()),
               "vkGetPhysicalDeviceCooperativeMatrixPropertiesNV");
  return std::any_of(list.begin(), list.end(), [](const VkCooperativeMatrixPropertiesNV& m) {
    return m.MSize == 16 && m.NSize == 16 && m.KSize == 32 && m.scope == VK_SCOPE_SUBGROUP_NV &&
           m.AType == VK_COMPONENT_TYPE_SINT8_NV && m.BType == VK_COMPONENT_TYPE_SINT8_NV &&
           m.CType == VK_COMPONENT_TYPE_SINT32_NV && m.DType == VK_COMPONENT_TYPE_SINT32_NV;
  });
}

// A family that computes; one with timestamps is better.
std::optional<std::uint32_t> compute_family(VkPhysicalDevice device, std::uint32_t& bits) {
  std::uint32_t count = 0;
  vkGetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
  std::optional<std::uint32_t> best;
  for (std::uint32_t i = 0; i < count; ++i) {
    if ((families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) == 0) continue;
    if (best && families[i].timestampValidBits <= bits) continue;
    best = i;
    bits = families[i].timestampValidBits;
  }
  return best;
}

std::string device_kind(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return "software";
    default:
      return "other";
  }
}

std::string version_text(std::uint32_t v) {
  return std::to_string(VK_API_VERSION_MAJOR(v)) + "." + std::to_string(VK_API_VERSION_MINOR(v)) +
         "." + std::to_string(VK_API_VERSION_PATCH(v));
}

std::string hex(std::uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%04x", value);
  return text;
}

Features kernel_features(const FeatureChain& chain,
                         const VkPhysicalDeviceSubgroupProperties& subgroup) {
  Features features = 0;
  const VkSubgroupFeatureFlags wanted =
      VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
  if ((subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0 &&
      (subgroup.supportedOperations & wanted) == wanted) {
    features |= feature::Subgroups;
  }
  if (chain.v12.shaderInt8 && chain.v12.storageBuffer8BitAccess) features |= feature::Int8Storage;
  if (chain.v12.shaderFloat16 && chain.v11.storageBuffer16BitAccess) features |= feature::Half;
  if (chain.dot.shaderIntegerDotProduct) features |= feature::IntegerDot;
  if (chain.v12.vulkanMemoryModel && chain.v12.vulkanMemoryModelDeviceScope &&
      (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT) != 0) {
    features |= feature::Meeting;
  }
  return features;
}

struct PropertyChain {
  VkPhysicalDeviceProperties2 base{.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  VkPhysicalDeviceDriverProperties driver{.sType =
                                              VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
  VkPhysicalDeviceSubgroupProperties subgroup{
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
  VkPhysicalDeviceShaderIntegerDotProductProperties dot{
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
};

DeviceInfo describe(const PropertyChain& chain, std::uint32_t timestamp_bits) {
  const VkPhysicalDeviceProperties& p = chain.base.properties;
  DeviceInfo info;
  info.name = p.deviceName;
  info.backend = Backend::Vulkan;
  info.kind = device_kind(p.deviceType);
  info.threads = 0;
  info.driver = std::string(chain.driver.driverName) + " " + chain.driver.driverInfo;
  info.api_version = version_text(p.apiVersion);
  info.vendor_id = hex(p.vendorID);
  info.device_id = hex(p.deviceID);
  info.cache_bytes = assumed_cache_bytes(info.kind);  // Vulkan tells none
  info.max_view_bytes = p.limits.maxStorageBufferRange;
  info.facts["subgroup_size"] = std::to_string(chain.subgroup.subgroupSize);
  info.facts["max_workgroup_invocations"] = std::to_string(p.limits.maxComputeWorkGroupInvocations);
  info.facts["shared_memory_bytes"] = std::to_string(p.limits.maxComputeSharedMemorySize);
  info.facts["max_storage_buffer_range"] = std::to_string(p.limits.maxStorageBufferRange);
  info.facts["timestamp_period_ns"] = std::to_string(p.limits.timestampPeriod);
  info.facts["timestamp_valid_bits"] = std::to_string(timestamp_bits);
  info.facts["integer_dot_accelerated"] =
      chain.dot.integerDotProduct4x8BitPackedSignedAccelerated ? "yes" : "no";
  return info;
}

}  // namespace

std::optional<VulkanTraits> vulkan_traits(VkPhysicalDevice device, Features mask,
                                          std::string& reason) {
  VulkanTraits traits;
  traits.physical = device;
  vkGetPhysicalDeviceProperties(device, &traits.properties);
  const std::string name = traits.properties.deviceName;
  if (traits.properties.apiVersion < VK_API_VERSION_1_2) {
    reason = name + " has Vulkan " + version_text(traits.properties.apiVersion) + "; 1.2 is needed";
    return std::nullopt;
  }
  const auto family = compute_family(device, traits.timestamp_bits);
  if (!family) {
    reason = name + " has no compute queue";
    return std::nullopt;
  }
  traits.queue_family = *family;
  traits.integer_dot_by_extension =
      traits.properties.apiVersion < VK_API_VERSION_1_3 &&
      has_extension(device, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
  const bool dot_known =
      traits.integer_dot_by_extension || traits.properties.apiVersion >= VK_API_VERSION_1_3;

  PropertyChain properties;
  properties.base.pNext = &properties.driver;
  properties.driver.pNext = &properties.subgroup;
  if (dot_known) properties.subgroup.pNext = &properties.dot;
  VkPhysicalDeviceShaderSMBuiltinsPropertiesNV multiprocessors{
      .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV};
  if (has_extension(device, VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME)) {
    multiprocessors.pNext = properties.base.pNext;
    properties.base.pNext = &multiprocessors;
  }
  vkGetPhysicalDeviceProperties2(device, &properties.base);
  traits.multiprocessors = multiprocessors.shaderSMCount;
  const bool matrix_known = has_extension(device, VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME);
  FeatureChain features(dot_known, matrix_known);
  vkGetPhysicalDeviceFeatures2(device, &features.base);
  // The shader counts on subgroups of 32.
  const bool matrices = matrix_known && features.matrix.cooperativeMatrix &&
                        features.v12.shaderInt8 && features.v12.vulkanMemoryModel &&
                        properties.subgroup.subgroupSize == 32 && multiplies_byte_matrices(device);
  vkGetPhysicalDeviceMemoryProperties(device, &traits.memory);
  traits.subgroup_size = properties.subgroup.subgroupSize;
  traits.info = describe(properties, traits.timestamp_bits);
  traits.info.features = kernel_features(features, properties.subgroup);
  if (matrices) traits.info.features |= feature::CoopMatrix;
  traits.info.features &= mask;
  traits.info.facts["features"] = feature_list(traits.info.features);
  return traits;
}

LaunchLimits launch_limits(const VulkanTraits& traits) {
  const VkPhysicalDeviceLimits& limits = traits.properties.limits;
  return {.max_invocations =
              std::min(limits.maxComputeWorkGroupInvocations, limits.maxComputeWorkGroupSize[0]),
          .max_groups_x = limits.maxComputeWorkGroupCount[0],
          .subgroup_size = traits.subgroup_size,
          .multiprocessors = traits.multiprocessors,
          .software = traits.info.kind == "software"};
}

bool tells_what_it_compiled(const VulkanTraits& traits) {
  return has_extension(traits.physical, VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
}

VkDevice create_vulkan_device(const VulkanTraits& traits, bool with_compiled) {
  const auto on = [&](Features bit) -> VkBool32 {
    return (traits.info.features & bit) != 0 ? VK_TRUE : VK_FALSE;
  };
  FeatureChain features(on(feature::IntegerDot), on(feature::CoopMatrix), with_compiled);
  features.v11.storageBuffer16BitAccess = on(feature::Half);
  features.v12.shaderFloat16 = on(feature::Half);
  features.v12.shaderInt8 = on(feature::Int8Storage | feature::CoopMatrix);
  features.v12.storageBuffer8BitAccess = on(feature::Int8Storage);
  features.v12.timelineSemaphore = VK_TRUE;  // every driver of 1.2 must have them
  features.dot.shaderIntegerDotProduct = on(feature::IntegerDot);
  features.matrix.cooperativeMatrix = on(feature::CoopMatrix);
  features.v12.vulkanMemoryModel = on(feature::CoopMatrix | feature::Meeting);
  features.v12.vulkanMemoryModelDeviceScope = on(feature::Meeting);

  const float priority = 1.0f;
  const VkDeviceQueueCreateInfo queue{.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                      .queueFamilyIndex = traits.queue_family,
                                      .queueCount = 1,
                                      .pQueuePriorities = &priority};
  std::vector<const char*> extensions;
  if (traits.integer_dot_by_extension && on(feature::IntegerDot)) {
    extensions.push_back(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
  }
  if (on(feature::CoopMatrix)) extensions.push_back(VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME);
  if (with_compiled) {
    extensions.push_back(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  }
  const VkDeviceCreateInfo info{
      .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
      .pNext = &features.base,
      .queueCreateInfoCount = 1,
      .pQueueCreateInfos = &queue,
      .enabledExtensionCount = static_cast<std::uint32_t>(extensions.size()),
      .ppEnabledExtensionNames = extensions.data()};
  VkDevice device = VK_NULL_HANDLE;
  vulkan_check(vkCreateDevice(traits.physical, &info, nullptr, &device), "vkCreateDevice");
  return device;
}

}  // namespace rotor
