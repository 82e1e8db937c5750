// The OpenCL backend as the program sees it: found and loaded on first use.
#pragma once

#include <cstddef>
#include <memory>

#include "runtime/devices.h"

namespace rotor {

// Appends the OpenCL devices, real ones before software, or why there are none.
void list_opencl(const DeviceOptions& options, DeviceList& list);

// Opens device number `index` of that list. Throws UnsupportedError if the backend is absent.
std::unique_ptr<Device> open_opencl(std::size_t index, const DeviceOptions& options);

}  // namespace rotor
