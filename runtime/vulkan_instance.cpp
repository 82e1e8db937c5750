#include "runtime/vulkan_instance.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "core/error.h"
#include "runtime/vulkan_device.h"
#include "runtime/vulkan_traits.h"

namespace rotor {
namespace {

constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";

std::mutex complaint_mutex;
std::vector<std::string> complaints;
std::atomic<std::size_t> complaint_count{0};

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT,
                                          VkDebugUtilsMessageTypeFlagsEXT,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void*) {
  add_vulkan_complaint(data->pMessage);
  return VK_FALSE;
}

VkDebugUtilsMessengerCreateInfoEXT messenger_info() {
  return {.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
          .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                             VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
          .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
          .pfnUserCallback = on_message};
}

bool validation_wanted() {
  const char* value = std::getenv("ROTOR_VK_VALIDATION");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

bool validation_present() {
  std::uint32_t count = 0;
  vulkan_check(vkEnumerateInstanceLayerProperties(&count, nullptr),
               "vkEnumerateInstanceLayerProperties");
  std::vector<VkLayerProperties> layers(count);
  vulkan_check(vkEnumerateInstanceLayerProperties(&count, layers.data()),
               "vkEnumerateInstanceLayerProperties");
  return std::any_of(layers.begin(), layers.end(), [](const VkLayerProperties& layer) {
    return std::strcmp(layer.layerName, kValidationLayer) == 0;
  });
}

void load_library() {
  static std::once_flag once;
  static VkResult result = VK_SUCCESS;
  std::call_once(once, [] { result = volkInitialize(); });
  if (result != VK_SUCCESS) {
    throw UnsupportedError("no_loader", "libvulkan.so.1 was not found; install libvulkan1");
  }
}

}  // namespace

void add_vulkan_complaint(const char* text) {
  const std::lock_guard lock(complaint_mutex);
  complaints.emplace_back(text);
  complaint_count.store(complaints.size());
}

std::size_t vulkan_complaint_count() {
  return complaint_count.load();
}

std::vector<std::string> vulkan_complaints() {
  const std::lock_guard lock(complaint_mutex);
  return complaints;
}

VulkanInstance::VulkanInstance() {
  load_library();
  const VkApplicationInfo application{.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                      .pApplicationName = "rotor",
                                      .apiVersion = VK_API_VERSION_1_3};
  VkInstanceCreateInfo info{.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                            .pApplicationInfo = &application};
  VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info();
  const VkValidationFeatureEnableEXT sync =
      VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
  const VkValidationFeaturesEXT features{.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                         .pNext = &messenger,
                                         .enabledValidationFeatureCount = 1,
                                         .pEnabledValidationFeatures = &sync};
  const char* extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME,
                              VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME};
  const bool validate = validation_wanted();
  if (validate) {
    if (!validation_present()) {
      throw UnsupportedError("no_validation_layer",
                             "ROTOR_VK_VALIDATION=1, but the layer is not installed "
                             "(vulkan-validationlayers)");
    }
    info.pNext = &features;
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = &kValidationLayer;
    info.enabledExtensionCount = 2;
    info.ppEnabledExtensionNames = extensions;
  }
  const VkResult result = vkCreateInstance(&info, nullptr, &instance_);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
    throw UnsupportedError("no_driver", "the Vulkan loader found no driver");
  }
  vulkan_check(result, "vkCreateInstance");
  volkLoadInstance(instance_);
  if (validate) {
    vulkan_check(vkCreateDebugUtilsMessengerEXT(instance_, &messenger, nullptr, &messenger_),
                 "vkCreateDebugUtilsMessengerEXT");
  }
}

const VulkanInstance& VulkanInstance::get() {
  static const VulkanInstance* const instance = new VulkanInstance;
  return *instance;
}

std::vector<VulkanTraits> VulkanInstance::devices(Features mask, std::string& reason) const {
  std::uint32_t count = 0;
  vulkan_check(vkEnumeratePhysicalDevices(instance_, &count, nullptr),
               "vkEnumeratePhysicalDevices");
  std::vector<VkPhysicalDevice> physical(count);
  vulkan_check(vkEnumeratePhysicalDevices(instance_, &count, physical.data()),
               "vkEnumeratePhysicalDevices");
  std::vector<VulkanTraits> found;
  reason = "the Vulkan loader found no device";
  for (const VkPhysicalDevice device : physical) {
    if (auto traits = vulkan_traits(device, mask, reason)) found.push_back(std::move(*traits));
  }
  std::stable_partition(found.begin(), found.end(),
                        [](const VulkanTraits& t) { return t.info.kind != "software"; });
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i].info.id = "vulkan:" + std::to_string(i);
  }
  return found;
}

}  // namespace rotor
