// Device memory in large blocks, handed out in pieces.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/vulkan_instance.h"

namespace rotor {

// How the host gets at a piece of memory.
enum class Residence : std::uint8_t {
  Device,  // fastest for kernels; the host has a pointer only where memory is unified
  Small,   // small and often written by the host: mapped, and still the device's own if possible
  Host,    // staging, and results of every step: mapped and cached, so that the host reads it fast
};

// Part of a VkBuffer. `mapped` is null where the host cannot see it.
struct VulkanPiece {
  VkBuffer buffer = VK_NULL_HANDLE;
  VkDeviceSize offset = 0;
  VkDeviceSize bytes = 0;
  std::byte* mapped = nullptr;
  bool cached = false;  // reading through `mapped` is as fast as other memory
  std::size_t block = 0;
};

// Allocates blocks of 64 to 256 MiB (larger requests get a block of their own), each one VkBuffer,
// and gives out pieces aligned to 256 bytes, first fit.
class VulkanMemory {
 public:
  VulkanMemory(VkDevice device, const VulkanTraits& traits);
  ~VulkanMemory();
  VulkanMemory(const VulkanMemory&) = delete;
  VulkanMemory& operator=(const VulkanMemory&) = delete;

  // Throws DeviceError when no memory type has room.
  VulkanPiece allocate(VkDeviceSize bytes, Residence residence);
  void release(const VulkanPiece& piece);

 private:
  struct Block {
    VkDeviceMemory memory = VK_NULL_HANDLE;
    VkBuffer buffer = VK_NULL_HANDLE;
    VkDeviceSize bytes = 0;
    std::byte* mapped = nullptr;
    bool cached = false;
    Residence residence = Residence::Device;
    std::map<VkDeviceSize, VkDeviceSize> free;  // offset -> size, never adjacent
  };

  std::vector<std::uint32_t> types_for(Residence residence) const;
  std::optional<VulkanPiece> take(std::size_t index, VkDeviceSize bytes);
  std::size_t add_block(VkDeviceSize bytes, Residence residence);
  VkResult try_types(VkDeviceSize bytes, Residence residence, Block& block);
  bool free_idle_blocks();  // false if there is none
  VkResult try_block(VkDeviceSize bytes, std::uint32_t type, Block& block);
  void destroy(Block& block);

  VkDevice device_;
  const VulkanTraits& traits_;
  std::vector<Block> blocks_;  // a block that is gone leaves its place empty
};

}  // namespace rotor
