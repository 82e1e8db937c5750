// The pipeline cache on disk: driver output that another process, or nobody, may have written well.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "runtime/vulkan_api.h"

namespace rotor {

// Where the cache of this device lies: $XDG_CACHE_HOME/rotor (else ~/.cache/rotor), a file per device
// and driver. Empty if neither variable is set: then nothing is kept.
std::string pipeline_cache_path(const VkPhysicalDeviceProperties& device);

// The driver's bytes in the file, empty unless length, checksum and every field of the header that
// Vulkan prescribes fit this device.
std::vector<std::byte> read_pipeline_cache(const std::string& path,
                                           const VkPhysicalDeviceProperties& device);

// Replaces the file in one step. False if that failed: a cache is never worth an error.
bool write_pipeline_cache(const std::string& path, std::span<const std::byte> data);

}  // namespace rotor
