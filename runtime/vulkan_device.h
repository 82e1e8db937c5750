// Vulkan as devices: what the rest of the runtime may know, without a word of Vulkan.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "runtime/devices.h"

namespace rotor {

// Adds the devices of Vulkan to the list as "vulkan:0", "vulkan:1", ..., or tells why there are none.
// Software devices come last, whatever order the loader has.
void list_vulkan(const DeviceOptions& options, DeviceList& list);

// Opens device `index` of that list. Throws UnsupportedError if it is not there, DeviceError if the
// driver fails.
std::unique_ptr<Device> open_vulkan(std::size_t index, const DeviceOptions& options);

// What the validation layers complained about since the program began. They are on (core and
// synchronization) where ROTOR_VK_VALIDATION=1 is set; a complaint also makes the next finish() of
// the device throw.
std::vector<std::string> vulkan_complaints();

}  // namespace rotor
