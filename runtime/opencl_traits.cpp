#include "runtime/opencl_traits.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <sstream>

namespace rotor::opencl {
namespace {

bool contains(std::string text, std::string_view word) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text.find(word) != std::string::npos;
}

// Driver strings may end in zeros.
std::string plain(std::string text) {
  while (!text.empty() && (text.back() == '\0' || text.back() == ' ')) text.pop_back();
  return text;
}

bool has_extension(const cl::Device& device, std::string_view name) {
  std::istringstream words(plain(device.getInfo<CL_DEVICE_EXTENSIONS>()));
  for (std::string word; words >> word;) {
    if (word == name) return true;
  }
  return false;
}

// A scalar property that the wrappers or the device may not know: zero then.
template <typename T>
T property(const cl::Device& device, cl_device_info name) {
  T value{};
  if (device.getInfo(name, &value) != CL_SUCCESS) return T{};
  return value;
}

// Major version of the API: "OpenCL 3.0 PoCL".
int major_version(const cl::Device& device) {
  const std::string text = device.getInfo<CL_DEVICE_VERSION>();
  return text.size() > 7 && std::isdigit(static_cast<unsigned char>(text[7])) ? text[7] - '0' : 1;
}

// Code that runs on the host's cores, whatever type it claims to be.
bool is_software(const cl::Device& device) {
  const std::string name = device.getInfo<CL_DEVICE_NAME>();
  return (device.getInfo<CL_DEVICE_TYPE>() & CL_DEVICE_TYPE_CPU) != 0 ||
         contains(name, "oclgrind") || contains(name, "llvmpipe");
}

std::string kind_of(const cl::Device& device) {
  if (is_software(device)) return "software";
  if ((device.getInfo<CL_DEVICE_TYPE>() & CL_DEVICE_TYPE_GPU) == 0) return "other";
  return device.getInfo<CL_DEVICE_HOST_UNIFIED_MEMORY>() != 0 ? "integrated" : "discrete";
}

bool has_khr_subgroups(const cl::Device& device) {
  return has_extension(device, "cl_khr_subgroups") &&
         property<cl_uint>(device, CL_DEVICE_MAX_NUM_SUB_GROUPS) > 0;
}

// dp4a came with compute capability 6.1 (PTX ISA 5.0).
bool has_ptx_dot(const cl::Device& device) {
  constexpr cl_device_info kMajor = 0x4000;  // CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV
  constexpr cl_device_info kMinor = 0x4001;
  if (!has_extension(device, "cl_nv_device_attribute_query")) return false;
  return 10 * property<cl_uint>(device, kMajor) + property<cl_uint>(device, kMinor) >= 61;
}

Features features_of(const cl::Device& device) {
  using namespace feature;
  Features features = Int8Storage;
  if (has_extension(device, "cl_khr_fp16")) features |= Half;
  if (has_khr_subgroups(device) || has_extension(device, "cl_intel_subgroups")) {
    features |= Subgroups;
  }
  constexpr auto kPacked = CL_DEVICE_INTEGER_DOT_PRODUCT_INPUT_4x8BIT_PACKED_KHR;
  if (has_extension(device, "cl_khr_integer_dot_product") &&
      (property<cl_bitfield>(device, CL_DEVICE_INTEGER_DOT_PRODUCT_CAPABILITIES_KHR) & kPacked)) {
    features |= IntegerDot;
  }
  return features;
}

bool usable(const cl::Device& device) {
  return device.getInfo<CL_DEVICE_AVAILABLE>() != 0 &&
         device.getInfo<CL_DEVICE_COMPILER_AVAILABLE>() != 0 &&
         device.getInfo<CL_DEVICE_ENDIAN_LITTLE>() != 0 &&
         !device.getInfo<CL_DEVICE_VERSION>().starts_with("OpenCL 1.0") &&
         !device.getInfo<CL_DEVICE_VERSION>().starts_with("OpenCL 1.1");
}

}  // namespace

std::vector<cl::Device> find_devices() {
  std::vector<cl::Platform> platforms;
  const cl_int result = cl::Platform::get(&platforms);
  constexpr cl_int kNoPlatform = -1001;  // of the loader, where no driver is installed
  if (result == kNoPlatform) return {};
  check(result, "clGetPlatformIDs");
  std::vector<cl::Device> devices;
  for (const cl::Platform& platform : platforms) {
    std::vector<cl::Device> found;
    // A driver without devices, or a broken one, must not hide the others.
    if (platform.getDevices(CL_DEVICE_TYPE_ALL, &found) != CL_SUCCESS) continue;
    std::copy_if(found.begin(), found.end(), std::back_inserter(devices), usable);
  }
  std::stable_partition(devices.begin(), devices.end(),
                        [](const auto& d) { return !is_software(d); });
  return devices;
}

Traits traits_of(const cl::Device& device) {
  Traits traits;
  traits.device = device;
  const std::vector<std::size_t> sizes = device.getInfo<CL_DEVICE_MAX_WORK_ITEM_SIZES>();
  traits.largest_group = device.getInfo<CL_DEVICE_MAX_WORK_GROUP_SIZE>();
  if (!sizes.empty()) traits.largest_group = std::min(traits.largest_group, sizes[0]);
  traits.largest_buffer = device.getInfo<CL_DEVICE_MAX_MEM_ALLOC_SIZE>();
  traits.view_alignment = std::max(1u, device.getInfo<CL_DEVICE_MEM_BASE_ADDR_ALIGN>() / 8);
  traits.unified_memory = device.getInfo<CL_DEVICE_HOST_UNIFIED_MEMORY>() != 0;
  traits.khr_subgroups = has_khr_subgroups(device);
  traits.multiprocessors = device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>();
  traits.ptx_dot = has_ptx_dot(device);
  const int major = major_version(device);
  if (major >= 2) traits.newest_standard = major >= 3 ? "CL3.0" : "CL2.0";
  return traits;
}

DeviceInfo describe(const cl::Device& device, std::size_t index) {
  const Traits traits = traits_of(device);
  DeviceInfo info;
  info.id = "opencl:" + std::to_string(index);
  info.name = plain(device.getInfo<CL_DEVICE_NAME>());
  info.backend = Backend::OpenCL;
  info.kind = kind_of(device);
  info.features = features_of(device);
  const cl::Platform platform(device.getInfo<CL_DEVICE_PLATFORM>());
  info.driver = plain(platform.getInfo<CL_PLATFORM_NAME>()) + " " +
                plain(device.getInfo<CL_DRIVER_VERSION>());
  info.api_version = plain(device.getInfo<CL_DEVICE_VERSION>());
  char vendor[16];
  std::snprintf(vendor, sizeof vendor, "0x%04x", device.getInfo<CL_DEVICE_VENDOR_ID>());
  info.vendor_id = vendor;
  info.cache_bytes = device.getInfo<CL_DEVICE_GLOBAL_MEM_CACHE_SIZE>();
  // GPUs may mean their first level: NVIDIA's H200 tells 4 MiB and has 50.
  if (info.kind != "software") {
    info.cache_bytes = std::max(info.cache_bytes, assumed_cache_bytes(info.kind));
  }
  info.max_view_bytes = traits.largest_buffer;
  info.facts["opencl_c"] = plain(device.getInfo<CL_DEVICE_OPENCL_C_VERSION>());
  info.facts["compute_units"] = std::to_string(device.getInfo<CL_DEVICE_MAX_COMPUTE_UNITS>());
  info.facts["max_work_group_size"] = std::to_string(traits.largest_group);
  info.facts["local_memory_bytes"] = std::to_string(device.getInfo<CL_DEVICE_LOCAL_MEM_SIZE>());
  info.facts["global_memory_bytes"] = std::to_string(device.getInfo<CL_DEVICE_GLOBAL_MEM_SIZE>());
  info.facts["max_buffer_bytes"] = std::to_string(traits.largest_buffer);
  info.facts["unified_memory"] = traits.unified_memory ? "yes" : "no";
  info.facts["timer_resolution_ns"] =
      std::to_string(device.getInfo<CL_DEVICE_PROFILING_TIMER_RESOLUTION>());
  return info;
}

}  // namespace rotor::opencl
