// The device to use where nobody named one.
#pragma once

#include <memory>
#include <string>

#include "runtime/devices.h"

namespace rotor {

struct DeviceChoice {
  std::unique_ptr<Device> device;
  std::string why;  // one line: which, and why no better one
};

// The best GPU that is not software and passes model/self_check.h, else the CPU.
DeviceChoice choose_device(const DeviceOptions& options);

// Real GPUs, best first: discrete before integrated, Vulkan before OpenCL, else as listed.
std::vector<DeviceInfo> real_gpus(const DeviceList& list);

}  // namespace rotor
