// Submissions to a queue, one after the other, and the wait for them.
#pragma once

#include <chrono>
#include <cstdint>

#include "runtime/vulkan_api.h"

namespace rotor {

class Timeline {
 public:
  explicit Timeline(VkDevice device);
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  void submit(VkQueue queue, VkCommandBuffer buffer);
  // Waits for everything submitted, one submission after the other. Throws DeviceError, with fault Lost
  // where the driver has given up.
  void wait();

 private:
  VkDevice device_;
  VkSemaphore semaphore_ = VK_NULL_HANDLE;
  std::uint64_t submitted_ = 0;
  std::uint64_t done_ = 0;
  std::chrono::duration<double> last_wait_{0};
};

}  // namespace rotor
