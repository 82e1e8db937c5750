// Memory of an OpenCL device: buffers from a pool, sub-buffers for views, copies both ways.
#pragma once

#include <map>
#include <vector>

#include "runtime/device.h"
#include "runtime/opencl_traits.h"

namespace rotor::opencl {

// Hands out memory objects and keeps those given back for the next buffer of their size.
class MemoryPool {
 public:
  MemoryPool(cl::Context context, const Traits& traits);
  // At least `bytes`, contents undefined. Throws DeviceError.
  cl::Buffer take(std::size_t bytes);
  void give_back(cl::Buffer memory, std::size_t bytes);

 private:
  cl::Context context_;
  std::size_t largest_;
  cl_mem_flags flags_;
  std::map<std::size_t, std::vector<cl::Buffer>> kept_;  // by rounded size
  std::size_t kept_bytes_ = 0;
};

class ClBuffer final : public Buffer {
 public:
  // `alignment`: of the device's sub-buffers, in bytes.
  ClBuffer(MemoryPool& pool, std::size_t bytes, std::size_t alignment);
  ~ClBuffer() override;

  const cl::Buffer& memory() const { return memory_; }
  // What is bound for a view that begins at `offset`: from there to the end of the buffer. Throws
  // UsageError if the device cannot bind that offset.
  cl::Buffer from(std::size_t offset);

 private:
  MemoryPool& pool_;
  std::size_t alignment_;
  cl::Buffer memory_;
  std::map<std::size_t, cl::Buffer> views_;  // by offset
};

// The whole of a view's buffer, as it was allocated by this backend.
ClBuffer& memory_of(const View& view);

// Blocking copies between host memory and a view: by mapping where memory is unified.
void copy_in(const cl::CommandQueue& queue, const Traits& traits, const View& to,
             std::span<const std::byte> data);
void copy_out(const cl::CommandQueue& queue, const Traits& traits, const View& from,
              std::span<std::byte> data);

}  // namespace rotor::opencl
