#include "runtime/vulkan_timeline.h"

#include <algorithm>
#include <thread>

namespace rotor {
namespace {

using Clock = std::chrono::steady_clock;

// How long wait() looks before it sleeps until the driver wakes it, which takes 50 to 100 us. It never
// gives up: a driver that notices a hang reports the device lost, and work in flight must not outlive its
// kernels and buffers.
constexpr auto kLookout = std::chrono::microseconds(500);
// Before it looks, it sleeps for this part of what the wait before took, less a margin for waking up: steps
// of a model take much the same time, one after the other.
constexpr double kSleptShare = 0.75;
constexpr auto kWakeMargin = std::chrono::microseconds(150);
constexpr auto kLongestSleep = std::chrono::milliseconds(5);

}  // namespace

Timeline::Timeline(VkDevice device) : device_(device) {
  const VkSemaphoreTypeCreateInfo type{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                       .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
  const VkSemaphoreCreateInfo info{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                   .pNext = &type};
  vulkan_check(vkCreateSemaphore(device_, &info, nullptr, &semaphore_), "vkCreateSemaphore");
}

Timeline::~Timeline() {
  vkDestroySemaphore(device_, semaphore_, nullptr);
}

void Timeline::submit(VkQueue queue, VkCommandBuffer buffer) {
  const std::uint64_t value = submitted_ + 1;
  const VkTimelineSemaphoreSubmitInfo values{
      .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
      .signalSemaphoreValueCount = 1,
      .pSignalSemaphoreValues = &value};
  const VkSubmitInfo info{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                          .pNext = &values,
                          .commandBufferCount = 1,
                          .pCommandBuffers = &buffer,
                          .signalSemaphoreCount = 1,
                          .pSignalSemaphores = &semaphore_};
  vulkan_check(vkQueueSubmit(queue, 1, &info, VK_NULL_HANDLE), "vkQueueSubmit");
  submitted_ = value;
}

void Timeline::wait() {
  const auto start = Clock::now();
  const auto nap =
      std::chrono::duration_cast<Clock::duration>(last_wait_ * kSleptShare) - kWakeMargin;
  if (nap > Clock::duration::zero())
    std::this_thread::sleep_for(std::min<Clock::duration>(nap, kLongestSleep));
  const auto sleep_at = Clock::now() + kLookout;
  while (done_ < submitted_ && Clock::now() < sleep_at) {
    vulkan_check(vkGetSemaphoreCounterValue(device_, semaphore_, &done_),
                 "vkGetSemaphoreCounterValue");
    std::this_thread::yield();
  }
  while (done_ < submitted_) {
    const std::uint64_t next = done_ + 1;
    const VkSemaphoreWaitInfo info{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                   .semaphoreCount = 1,
                                   .pSemaphores = &semaphore_,
                                   .pValues = &next};
    vulkan_check(vkWaitSemaphores(device_, &info, UINT64_MAX), "vkWaitSemaphores");
    done_ = next;
  }
  last_wait_ = Clock::now() - start;
}

}  // namespace rotor
