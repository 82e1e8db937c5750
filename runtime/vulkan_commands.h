// Dispatches as command buffers: descriptor sets, barriers where data flows, time stamps.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "runtime/vulkan_instance.h"
#include "runtime/vulkan_memory.h"
#include "runtime/vulkan_pipelines.h"

namespace rotor {

// A range of memory that a dispatch touches. Plain data, so that barriers can be tested without a
// driver.
struct MemoryAccess {
  const void* memory = nullptr;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool writes = false;
};

// What ran since the last barrier, and whether the next dispatch must wait for it.
class Hazards {
 public:
  // True if an access overlaps an earlier one and either of them writes.
  bool conflict(std::span<const MemoryAccess> accesses) const;
  void add(std::span<const MemoryAccess> accesses);
  void clear() { pending_.clear(); }

 private:
  std::vector<MemoryAccess> pending_;
};

// One run of a kernel, self-contained.
struct VulkanDispatch {
  VkPipeline pipeline = VK_NULL_HANDLE;
  std::uint32_t buffer_count = 0;
  std::array<VkDescriptorBufferInfo, kVulkanBindings> buffers{};
  std::array<bool, kVulkanBindings> writes{};
  std::uint32_t param_bytes = 0;
  std::array<std::byte, kVulkanParamBytes> params{};
  std::array<std::uint32_t, 3> groups{};
  double cost = 0;  // launch_cost
};

// What was dispatched and not submitted. Buffers and kernels that go take what names them out: after
// an error, dispatches may be left over that nobody will ever wait for.
class DispatchQueue {
 public:
  bool empty() const { return list_.empty(); }
  std::span<const VulkanDispatch> list() const { return list_; }
  void push(const VulkanDispatch& dispatch) { list_.push_back(dispatch); }
  void clear() { list_.clear(); }
  void forget(VkPipeline pipeline);
  void forget(const VulkanPiece& piece);

 private:
  std::vector<VulkanDispatch> list_;
};

// What was submitted, recorded or given up is queued no longer, whatever was thrown on the way.
struct ClearedAtEnd {
  DispatchQueue& queue;
  ~ClearedAtEnd() { queue.clear(); }
};

// Recorded command buffers, to be submitted one after the other, as often as wanted.
class VulkanRecording {
 public:
  VulkanRecording(VkDevice device, const VulkanTraits& traits, const VulkanPipelines& pipelines);
  ~VulkanRecording();
  VulkanRecording(const VulkanRecording&) = delete;
  VulkanRecording& operator=(const VulkanRecording&) = delete;

  // Records anew. A command buffer ends when its dispatches cost more than `cost_limit`.
  void record(std::span<const VulkanDispatch> dispatches, double cost_limit);
  // A single copy between buffers, in place of dispatches.
  void record_copy(VkBuffer from, VkBuffer to, const VkBufferCopy& region);

  std::span<const VkCommandBuffer> buffers() const {
    return std::span(buffers_).first(used_buffers_);
  }
  double cost() const { return cost_; }
  // Seconds from the first start to the last end of the last run, which must be complete; nothing
  // without a device clock.
  std::optional<double> device_seconds() const;

 private:
  VkCommandBuffer begin();
  void end(VkCommandBuffer buffer);
  VkDescriptorSet next_set();
  void reset();
  void add_dispatch(VkCommandBuffer buffer, const VulkanDispatch& dispatch);
  void stamp(VkCommandBuffer buffer, std::uint32_t query);

  VkDevice device_;
  const VulkanTraits& traits_;
  const VulkanPipelines& pipelines_;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkQueryPool queries_ = VK_NULL_HANDLE;
  std::vector<VkCommandBuffer> buffers_;
  std::size_t used_buffers_ = 0;
  std::vector<VkDescriptorPool> set_pools_;
  std::vector<VkDescriptorSet> sets_;
  std::size_t used_sets_ = 0;
  double cost_ = 0;
};

}  // namespace rotor
