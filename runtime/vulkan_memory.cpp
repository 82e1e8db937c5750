#include "runtime/vulkan_memory.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"

namespace rotor {
namespace {

constexpr VkDeviceSize kAlignment = 256;  // of views that kernels bind (runtime/device.h)
constexpr VkDeviceSize kFirstBlock = VkDeviceSize{64} << 20;
constexpr VkDeviceSize kLargestBlock = VkDeviceSize{256} << 20;
constexpr VkDeviceSize kSmallBlock = VkDeviceSize{1} << 20;

constexpr VkMemoryPropertyFlags kLocal = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
constexpr VkMemoryPropertyFlags kVisible =
    VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags kCached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;

// What a residence asks of a memory type, best first.
std::vector<VkMemoryPropertyFlags> wishes(Residence residence, bool unified) {
  switch (residence) {
    case Residence::Device:
      if (unified) return {kLocal | kVisible | kCached, kLocal | kVisible, kLocal, kVisible};
      return {kLocal, kVisible};
    case Residence::Small:
      return {kLocal | kVisible | kCached, kLocal | kVisible, kLocal, kVisible};
    case Residence::Host:
      return {kVisible | kCached, kVisible};
  }
  return {};
}

}  // namespace

VulkanMemory::VulkanMemory(VkDevice device, const VulkanTraits& traits)
    : device_(device), traits_(traits) {}

VulkanMemory::~VulkanMemory() {
  for (Block& block : blocks_) destroy(block);
}

void VulkanMemory::destroy(Block& block) {
  vkDestroyBuffer(device_, block.buffer, nullptr);
  vkFreeMemory(device_, block.memory, nullptr);  // unmaps
  block = Block{};
}

std::vector<std::uint32_t> VulkanMemory::types_for(Residence residence) const {
  const bool unified = traits_.info.kind == "integrated" || traits_.info.kind == "software";
  std::vector<std::uint32_t> types;
  for (const VkMemoryPropertyFlags wish : wishes(residence, unified)) {
    for (std::uint32_t i = 0; i < traits_.memory.memoryTypeCount; ++i) {
      const bool fits = (traits_.memory.memoryTypes[i].propertyFlags & wish) == wish;
      if (fits && std::find(types.begin(), types.end(), i) == types.end()) types.push_back(i);
    }
  }
  return types;
}

VulkanPiece VulkanMemory::allocate(VkDeviceSize bytes, Residence residence) {
  const VkDeviceSize size =
      std::max<VkDeviceSize>((bytes + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    if (blocks_[i].residence != residence) continue;
    if (auto piece = take(i, size)) return *piece;
  }
  return *take(add_block(size, residence), size);
}

bool VulkanMemory::free_idle_blocks() {
  bool freed = false;
  for (Block& block : blocks_) {
    const bool idle = block.free.size() == 1 && block.free.begin()->second == block.bytes;
    if (!idle) continue;
    destroy(block);
    freed = true;
  }
  return freed;
}

std::optional<VulkanPiece> VulkanMemory::take(std::size_t index, VkDeviceSize bytes) {
  Block& block = blocks_[index];
  for (auto it = block.free.begin(); it != block.free.end(); ++it) {
    const auto [offset, size] = *it;
    if (size < bytes) continue;
    block.free.erase(it);
    if (size > bytes) block.free.emplace(offset + bytes, size - bytes);
    return VulkanPiece{.buffer = block.buffer,
                       .offset = offset,
                       .bytes = bytes,
                       .mapped = block.mapped == nullptr ? nullptr : block.mapped + offset,
                       .cached = block.cached,
                       .block = index};
  }
  return std::nullopt;
}

// A generous block where there is room, else one of just the size asked for, else one in place of
// blocks that nobody uses.
std::size_t VulkanMemory::add_block(VkDeviceSize bytes, Residence residence) {
  VkDeviceSize generous = residence == Residence::Device ? kFirstBlock : kSmallBlock;
  for (const Block& block : blocks_) {  // a device that already holds much will hold more
    if (block.residence == residence) {
      generous = std::clamp(2 * block.bytes, generous, kLargestBlock);
    }
  }
  Block block;
  VkResult result = try_types(std::max(generous, bytes), residence, block);
  if (result != VK_SUCCESS) result = try_types(bytes, residence, block);
  if (result != VK_SUCCESS && free_idle_blocks()) result = try_types(bytes, residence, block);
  if (result != VK_SUCCESS) {
    throw DeviceError("out of memory: vkAllocateMemory of " + std::to_string(bytes) + " bytes on " +
                          traits_.info.name + " failed: " + vulkan_result_name(result),
                      result == VK_ERROR_DEVICE_LOST ? DeviceFault::Lost : DeviceFault::Memory);
  }
  const auto gone = std::find_if(blocks_.begin(), blocks_.end(),
                                 [](const Block& b) { return b.memory == VK_NULL_HANDLE; });
  if (gone == blocks_.end()) {
    blocks_.push_back(std::move(block));
    return blocks_.size() - 1;
  }
  *gone = std::move(block);
  return static_cast<std::size_t>(gone - blocks_.begin());
}

// The memory types that fit, best first.
VkResult VulkanMemory::try_types(VkDeviceSize bytes, Residence residence, Block& block) {
  VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
  for (const std::uint32_t type : types_for(residence)) {
    block.residence = residence;
    result = try_block(bytes, type, block);
    if (result == VK_SUCCESS) return result;
    destroy(block);
  }
  return result;
}

VkResult VulkanMemory::try_block(VkDeviceSize bytes, std::uint32_t type, Block& block) {
  const VkBufferCreateInfo buffer{.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                  .size = bytes,
                                  .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                           VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                           VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                  .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
  VkResult result = vkCreateBuffer(device_, &buffer, nullptr, &block.buffer);
  if (result != VK_SUCCESS) return result;
  VkMemoryRequirements needs{};
  vkGetBufferMemoryRequirements(device_, block.buffer, &needs);
  if ((needs.memoryTypeBits & (1u << type)) == 0) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  // More than the heap has is refused here: some drivers try and fall over.
  const VkMemoryType& kind = traits_.memory.memoryTypes[type];
  if (needs.size > traits_.memory.memoryHeaps[kind.heapIndex].size) {
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  }
  const VkMemoryAllocateInfo info{.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                  .allocationSize = needs.size,
                                  .memoryTypeIndex = type};
  result = vkAllocateMemory(device_, &info, nullptr, &block.memory);
  if (result != VK_SUCCESS) return result;
  result = vkBindBufferMemory(device_, block.buffer, block.memory, 0);
  if (result != VK_SUCCESS) return result;
  if ((kind.propertyFlags & kVisible) == kVisible) {
    void* mapped = nullptr;
    result = vkMapMemory(device_, block.memory, 0, VK_WHOLE_SIZE, 0, &mapped);
    if (result != VK_SUCCESS) return result;
    block.mapped = static_cast<std::byte*>(mapped);
    block.cached = (kind.propertyFlags & kCached) != 0;
  }
  block.bytes = bytes;
  block.free.emplace(0, bytes);
  return VK_SUCCESS;
}

void VulkanMemory::release(const VulkanPiece& piece) {
  Block& block = blocks_[piece.block];
  auto at = block.free.emplace(piece.offset, piece.bytes).first;
  if (const auto next = std::next(at);
      next != block.free.end() && at->first + at->second == next->first) {
    at->second += next->second;
    block.free.erase(next);
  }
  if (at != block.free.begin()) {
    const auto before = std::prev(at);
    if (before->first + before->second == at->first) {
      before->second += at->second;
      block.free.erase(at);
      at = before;
    }
  }
  // Blocks of one large buffer go back at once; pooled ones stay for the next buffer.
  if (at->second == block.bytes && block.bytes > kLargestBlock) destroy(block);
}

}  // namespace rotor
