#include "runtime/vulkan_cache_file.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "core/random.h"

namespace rotor {
namespace {

// Written before the driver's bytes.
struct FileHeader {
  char magic[8];
  std::uint64_t bytes;
  std::uint64_t checksum;  // FNV-1a
};
constexpr char kMagic[8] = {'r', 'o', 't', 'o', 'r', 'v', 'k', '1'};
constexpr std::uint64_t kLargestFile = std::uint64_t{256} << 20;

std::uint64_t checksum(std::span<const std::byte> data) {
  return fnv1a({reinterpret_cast<const char*>(data.data()), data.size()});
}

bool fits_device(std::span<const std::byte> data, const VkPhysicalDeviceProperties& device) {
  VkPipelineCacheHeaderVersionOne header{};
  if (data.size() < sizeof header) return false;
  std::memcpy(&header, data.data(), sizeof header);
  return header.headerSize == sizeof header &&
         header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
         header.vendorID == device.vendorID && header.deviceID == device.deviceID &&
         std::memcmp(header.pipelineCacheUUID, device.pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

}  // namespace

std::string pipeline_cache_path(const VkPhysicalDeviceProperties& device) {
  namespace fs = std::filesystem;
  fs::path folder;
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && *xdg != '\0') {
    folder = xdg;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    folder = fs::path(home) / ".cache";
  } else {
    return {};
  }
  std::string name = "vulkan-";
  char text[32];
  std::snprintf(text, sizeof text, "%04x-%04x-", device.vendorID, device.deviceID);
  name += text;
  for (const std::uint8_t byte : device.pipelineCacheUUID) {
    std::snprintf(text, sizeof text, "%02x", byte);
    name += text;
  }
  return (folder / "rotor" / (name + ".cache")).string();
}

std::vector<std::byte> read_pipeline_cache(const std::string& path,
                                           const VkPhysicalDeviceProperties& device) {
  std::ifstream file(path, std::ios::binary);
  FileHeader header{};
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return {};
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return {};
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error || header.bytes > kLargestFile || size != sizeof header + header.bytes) return {};
  std::vector<std::byte> data(header.bytes);
  if (!file.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(data.size()))) {
    return {};
  }
  if (checksum(data) != header.checksum || !fits_device(data, device)) return {};
  return data;
}

bool write_pipeline_cache(const std::string& path, std::span<const std::byte> data) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  const std::string fresh = path + "." + std::to_string(::getpid());
  FileHeader header{.magic = {}, .bytes = data.size(), .checksum = checksum(data)};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&header), sizeof header);
  file.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
  file.close();
  if (file.good()) fs::rename(fresh, path, error);
  if (!file.good() || error) {
    fs::remove(fresh, error);
    return false;
  }
  return true;
}

}  // namespace rotor
