#include "runtime/vulkan_commands.h"

#include <algorithm>

namespace rotor {
namespace {

constexpr std::uint32_t kSetsPerPool = 256;

void barrier(VkCommandBuffer buffer, VkPipelineStageFlags from, VkAccessFlags written,
             VkPipelineStageFlags to, VkAccessFlags used) {
  const VkMemoryBarrier memory{
      .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = written, .dstAccessMask = used};
  vkCmdPipelineBarrier(buffer, from, to, 0, 1, &memory, 0, nullptr, 0, nullptr);
}

void full_barrier(VkCommandBuffer buffer) {
  barrier(buffer, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, VK_ACCESS_MEMORY_WRITE_BIT,
          VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
          VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT);
}

void shader_barrier(VkCommandBuffer buffer) {
  barrier(buffer, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
          VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
          VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
}

}  // namespace

bool Hazards::conflict(std::span<const MemoryAccess> accesses) const {
  for (const MemoryAccess& a : accesses) {
    for (const MemoryAccess& b : pending_) {
      const bool overlap =
          a.memory == b.memory && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
      if (overlap && (a.writes || b.writes)) return true;
    }
  }
  return false;
}

void Hazards::add(std::span<const MemoryAccess> accesses) {
  pending_.insert(pending_.end(), accesses.begin(), accesses.end());
}

void DispatchQueue::forget(VkPipeline pipeline) {
  std::erase_if(list_, [&](const VulkanDispatch& d) { return d.pipeline == pipeline; });
}

void DispatchQueue::forget(const VulkanPiece& piece) {
  const auto is_inside = [&](const VkDescriptorBufferInfo& bound) {
    return bound.buffer == piece.buffer && bound.offset >= piece.offset &&
           bound.offset < piece.offset + piece.bytes;
  };
  std::erase_if(list_, [&](const VulkanDispatch& d) {
    return std::any_of(d.buffers.begin(), d.buffers.begin() + d.buffer_count, is_inside);
  });
}

VulkanRecording::VulkanRecording(VkDevice device, const VulkanTraits& traits,
                                 const VulkanPipelines& pipelines)
    : device_(device), traits_(traits), pipelines_(pipelines) {
  const VkCommandPoolCreateInfo pool{.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                     .queueFamilyIndex = traits.queue_family};
  vulkan_check(vkCreateCommandPool(device_, &pool, nullptr, &pool_), "vkCreateCommandPool");
  if (traits.timestamp_bits == 0) return;
  const VkQueryPoolCreateInfo queries{.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                      .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                      .queryCount = 2};
  vulkan_check(vkCreateQueryPool(device_, &queries, nullptr, &queries_), "vkCreateQueryPool");
}

VulkanRecording::~VulkanRecording() {
  for (const VkDescriptorPool pool : set_pools_) vkDestroyDescriptorPool(device_, pool, nullptr);
  vkDestroyQueryPool(device_, queries_, nullptr);
  vkDestroyCommandPool(device_, pool_, nullptr);
}

void VulkanRecording::reset() {
  vulkan_check(vkResetCommandPool(device_, pool_, 0), "vkResetCommandPool");
  used_buffers_ = 0;
  used_sets_ = 0;
  cost_ = 0;
}

VkCommandBuffer VulkanRecording::begin() {
  if (used_buffers_ == buffers_.size()) {
    const VkCommandBufferAllocateInfo info{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                           .commandPool = pool_,
                                           .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                           .commandBufferCount = 1};
    VkCommandBuffer fresh = VK_NULL_HANDLE;
    vulkan_check(vkAllocateCommandBuffers(device_, &info, &fresh), "vkAllocateCommandBuffers");
    buffers_.push_back(fresh);
  }
  const VkCommandBuffer buffer = buffers_[used_buffers_++];
  const VkCommandBufferBeginInfo info{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  vulkan_check(vkBeginCommandBuffer(buffer, &info), "vkBeginCommandBuffer");
  return buffer;
}

// What the kernels wrote becomes visible to the host and to later copies.
void VulkanRecording::end(VkCommandBuffer buffer) {
  barrier(buffer, VK_PIPELINE_STAGE_ALL_COMMANDS_BIT, VK_ACCESS_MEMORY_WRITE_BIT,
          VK_PIPELINE_STAGE_ALL_COMMANDS_BIT | VK_PIPELINE_STAGE_HOST_BIT,
          VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT | VK_ACCESS_HOST_READ_BIT);
  vulkan_check(vkEndCommandBuffer(buffer), "vkEndCommandBuffer");
}

// The first stamp is taken after all that came before has ended and before anything starts; the
// second after everything has ended.
void VulkanRecording::stamp(VkCommandBuffer buffer, std::uint32_t query) {
  if (queries_ == VK_NULL_HANDLE) return;
  if (query == 0) {
    vkCmdResetQueryPool(buffer, queries_, 0, 2);
    full_barrier(buffer);
  }
  vkCmdWriteTimestamp(buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries_, query);
  if (query == 0) full_barrier(buffer);
}

VkDescriptorSet VulkanRecording::next_set() {
  if (used_sets_ == sets_.size()) {
    const VkDescriptorPoolSize size{.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                    .descriptorCount = kSetsPerPool * kVulkanBindings};
    const VkDescriptorPoolCreateInfo info{.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                          .maxSets = kSetsPerPool,
                                          .poolSizeCount = 1,
                                          .pPoolSizes = &size};
    VkDescriptorPool pool = VK_NULL_HANDLE;
    vulkan_check(vkCreateDescriptorPool(device_, &info, nullptr, &pool), "vkCreateDescriptorPool");
    set_pools_.push_back(pool);
    const std::vector<VkDescriptorSetLayout> layouts(kSetsPerPool, pipelines_.set_layout());
    const VkDescriptorSetAllocateInfo sets{.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                           .descriptorPool = pool,
                                           .descriptorSetCount = kSetsPerPool,
                                           .pSetLayouts = layouts.data()};
    sets_.resize(sets_.size() + kSetsPerPool);
    vulkan_check(vkAllocateDescriptorSets(device_, &sets, sets_.data() + used_sets_),
                 "vkAllocateDescriptorSets");
  }
  return sets_[used_sets_++];
}

void VulkanRecording::add_dispatch(VkCommandBuffer buffer, const VulkanDispatch& dispatch) {
  const VkDescriptorSet set = next_set();
  std::array<VkWriteDescriptorSet, kVulkanBindings> writes;
  for (std::uint32_t i = 0; i < dispatch.buffer_count; ++i) {
    writes[i] = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                 .dstSet = set,
                 .dstBinding = i,
                 .descriptorCount = 1,
                 .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                 .pBufferInfo = &dispatch.buffers[i]};
  }
  vkUpdateDescriptorSets(device_, dispatch.buffer_count, writes.data(), 0, nullptr);
  vkCmdBindPipeline(buffer, VK_PIPELINE_BIND_POINT_COMPUTE, dispatch.pipeline);
  vkCmdBindDescriptorSets(buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipelines_.layout(), 0, 1, &set,
                          0, nullptr);
  vkCmdPushConstants(buffer, pipelines_.layout(), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                     dispatch.param_bytes, dispatch.params.data());
  vkCmdDispatch(buffer, dispatch.groups[0], dispatch.groups[1], dispatch.groups[2]);
}

void VulkanRecording::record(std::span<const VulkanDispatch> dispatches, double cost_limit) {
  reset();
  VkCommandBuffer buffer = begin();
  stamp(buffer, 0);
  Hazards hazards;
  double cost = 0;
  for (const VulkanDispatch& dispatch : dispatches) {
    if (cost > 0 && cost + dispatch.cost > cost_limit) {
      end(buffer);
      buffer = begin();
      hazards.clear();
      cost_ += cost;
      cost = 0;
    }
    std::array<MemoryAccess, kVulkanBindings> accesses;
    for (std::uint32_t i = 0; i < dispatch.buffer_count; ++i) {
      const VkDescriptorBufferInfo& b = dispatch.buffers[i];
      accesses[i] = {b.buffer, b.offset, b.range, dispatch.writes[i]};
    }
    const auto touched = std::span(accesses).first(dispatch.buffer_count);
    if (hazards.conflict(touched)) {
      shader_barrier(buffer);
      hazards.clear();
    }
    hazards.add(touched);
    add_dispatch(buffer, dispatch);
    cost += dispatch.cost;
  }
  cost_ += cost;
  stamp(buffer, 1);
  end(buffer);
}

void VulkanRecording::record_copy(VkBuffer from, VkBuffer to, const VkBufferCopy& region) {
  reset();
  const VkCommandBuffer buffer = begin();
  vkCmdCopyBuffer(buffer, from, to, 1, &region);
  end(buffer);
}

std::optional<double> VulkanRecording::device_seconds() const {
  if (queries_ == VK_NULL_HANDLE) return std::nullopt;
  std::uint64_t ticks[2] = {};
  vulkan_check(vkGetQueryPoolResults(device_, queries_, 0, 2, sizeof ticks, ticks, sizeof ticks[0],
                                     VK_QUERY_RESULT_64_BIT),
               "vkGetQueryPoolResults");
  const std::uint64_t mask = traits_.timestamp_bits >= 64
                                 ? ~std::uint64_t{0}
                                 : (std::uint64_t{1} << traits_.timestamp_bits) - 1;
  return static_cast<double>((ticks[1] - ticks[0]) & mask) *
         double{traits_.properties.limits.timestampPeriod} * 1e-9;
}

}  // namespace rotor
