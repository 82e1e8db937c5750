#include "runtime/devices.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#if defined(ROTOR_HAVE_OPENCL)
#include "runtime/load_opencl.h"
#endif
#if defined(ROTOR_HAVE_VULKAN)
#include "runtime/vulkan_device.h"
#endif

namespace rotor {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// How well a device answers to a specification: 0 not at all; its id beats its backend's name, which
// beats part of its own name.
int match(const DeviceInfo& info, const std::string& specification) {
  const std::string wanted = lower(specification);
  if (wanted == info.id) return 3;
  if (wanted == backend_name(info.backend)) return 2;
  return !wanted.empty() && lower(info.name).find(wanted) != std::string::npos ? 1 : 0;
}

std::unique_ptr<Device> open_listed(const DeviceInfo& info, const DeviceOptions& options) {
  [[maybe_unused]] const std::size_t index = std::stoul(info.id.substr(info.id.find(':') + 1));
#if defined(ROTOR_HAVE_OPENCL)
  if (info.backend == Backend::OpenCL) return open_opencl(index, options);
#endif
#if defined(ROTOR_HAVE_VULKAN)
  if (info.backend == Backend::Vulkan) return open_vulkan(index, options);
#endif
  return open_cpu(options);
}

// "cpu:0 (Ryzen 7), and no vulkan: libvulkan.so.1 was not found".
std::string what_is_here(const DeviceList& list) {
  std::string text;
  for (const DeviceInfo& info : list.devices) {
    text += (text.empty() ? "" : ", ") + info.id + " (" + info.name + ")";
  }
  for (const AbsentBackend& absent : list.absent) {
    text += ", and no " + std::string(backend_name(absent.backend)) + ": " + absent.reason;
  }
  return text;
}

}  // namespace

DeviceList list_devices(const DeviceOptions& options) {
  DeviceList list;
  list.devices.push_back(open_cpu(options)->info());
#if defined(ROTOR_HAVE_OPENCL)
  list_opencl(options, list);
#else
  list.absent.push_back({Backend::OpenCL, "this build has no OpenCL backend (ROTOR_OPENCL)"});
#endif
#if defined(ROTOR_HAVE_VULKAN)
  list_vulkan(options, list);
#else
  list.absent.push_back({Backend::Vulkan, "this build has no Vulkan backend (ROTOR_VULKAN)"});
#endif
  return list;
}

std::unique_ptr<Device> open_device(const std::string& specification,
                                    const DeviceOptions& options) {
  if (lower(specification) == "cpu" || lower(specification) == "cpu:0") return open_cpu(options);
  const DeviceList list = list_devices(options);
  const DeviceInfo* best = nullptr;
  for (const DeviceInfo& info : list.devices) {  // the first of equals: real before software
    const int fit = match(info, specification);
    if (fit > 0 && (best == nullptr || fit > match(*best, specification))) best = &info;
  }
  if (best != nullptr) return open_listed(*best, options);
  throw UnsupportedError("no_device",
                         "no device '" + specification + "' here; there is " + what_is_here(list));
}

}  // namespace rotor
