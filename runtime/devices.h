// Which devices this machine has, and opening one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/device.h"

namespace rotor {

struct DeviceOptions {
  unsigned threads = 0;                  // CPU workers; 0 is one per core
  Features feature_mask = ~Features{0};  // features a device may use
};

// A backend that is not here, and why: "vulkan: libvulkan.so.1 was not found".
struct AbsentBackend {
  Backend backend;
  std::string reason;
};

struct DeviceList {
  std::vector<DeviceInfo> devices;
  std::vector<AbsentBackend> absent;
};

// Every device of every backend, the CPU first.
DeviceList list_devices(const DeviceOptions& options);

// Opens a device by specification: "cpu", "vulkan", "vulkan:1", or part of a device's name (case
// does not matter). Throws UnsupportedError if there is none such; never falls back.
std::unique_ptr<Device> open_device(const std::string& specification, const DeviceOptions& options);

// The host as a device.
std::unique_ptr<Device> open_cpu(const DeviceOptions& options);

}  // namespace rotor
