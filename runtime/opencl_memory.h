// Memory of an OpenCL device: buffers from a pool, sub-buffers for views, copies both ways.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/device.h"
#include "runtime/opencl_traits.h"

namespace rotor::opencl {

// A memory object and the parts of it that are bound, for as long as anybody needs one of them: what is
// recorded holds it, too. Parts go last first: NVIDIA's driver (580) crashes in most other orders where
// parts overlap and a kernel has used them.
class Memory {
 public:
  Memory(cl::Buffer whole, std::size_t bytes) : whole_(std::move(whole)), bytes_(bytes) {}
  ~Memory() { release_parts(); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  const cl::Buffer& whole() const { return whole_; }
  // What is bound for a view: its bytes alone, for what a kernel writes must not overlap with anything else
  // that it uses. Throws DeviceError.
  cl::Buffer part(std::size_t offset, std::size_t bytes);
  // Only where nobody else holds this.
  void release_parts();

 private:
  cl::Buffer whole_;
  std::size_t bytes_;
  std::vector<cl::Buffer> parts_;                                     // in the order they were made
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> index_;  // by offset and bytes
};

// Hands out memory objects and keeps those given back for the next buffer of their size.
class MemoryPool {
 public:
  MemoryPool(cl::Context context, const Traits& traits);
  // At least `bytes`, contents undefined. Throws DeviceError.
  std::shared_ptr<Memory> take(std::size_t bytes);
  void give_back(std::shared_ptr<Memory> memory, std::size_t bytes);

 private:
  cl::Context context_;
  std::size_t largest_;
  cl_mem_flags flags_;
  std::map<std::size_t, std::vector<std::shared_ptr<Memory>>> kept_;  // by rounded size
  std::size_t kept_bytes_ = 0;
};

class ClBuffer final : public Buffer {
 public:
  ClBuffer(MemoryPool& pool, std::size_t bytes)
      : Buffer(bytes), pool_(pool), memory_(pool.take(bytes)) {}
  ~ClBuffer() override { pool_.give_back(std::move(memory_), bytes()); }

  const std::shared_ptr<Memory>& memory() const { return memory_; }

 private:
  MemoryPool& pool_;
  std::shared_ptr<Memory> memory_;
};

// Of a view's buffer, which this backend allocated.
const std::shared_ptr<Memory>& memory_of(const View& view);

// Blocking copies between host memory and a view: by mapping where memory is unified.
void copy_in(const cl::CommandQueue& queue, const Traits& traits, const View& to,
             std::span<const std::byte> data);
void copy_out(const cl::CommandQueue& queue, const Traits& traits, const View& from,
              std::span<std::byte> data);

}  // namespace rotor::opencl
