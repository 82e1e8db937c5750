#include "runtime/opencl_memory.h"

#include <cstring>

#include "core/error.h"

namespace rotor::opencl {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kKeptBytes = 256u << 20;  // in the pool, at most
constexpr std::size_t kWidestLoad = 16;         // bytes: kernels read whole vectors

std::size_t rounded(std::size_t bytes) {
  return std::max((bytes + kPage - 1) / kPage * kPage, kPage);
}

// A part of a buffer in the host's address space, for as long as it lives.
class Mapped {
 public:
  Mapped(const cl::CommandQueue& queue, const View& view, std::size_t bytes, cl_map_flags flags)
      : queue_(queue), memory_(memory_of(view)->whole()) {
    cl_int result = CL_SUCCESS;
    data_ = queue.enqueueMapBuffer(memory_, CL_TRUE, flags, view.offset, bytes, nullptr, nullptr,
                                   &result);
    check(result, "clEnqueueMapBuffer");
  }
  ~Mapped() { queue_.enqueueUnmapMemObject(memory_, data_); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  void* data() const { return data_; }

 private:
  const cl::CommandQueue& queue_;
  cl::Buffer memory_;
  void* data_ = nullptr;
};

}  // namespace

cl::Buffer Memory::part(std::size_t offset, std::size_t bytes) {
  const std::size_t words = (bytes + kWidestLoad - 1) / kWidestLoad * kWidestLoad;
  const std::size_t size = std::min(std::max(words, kWidestLoad), bytes_ - offset);
  if (size == bytes_) return whole_;
  const auto found = index_.find({offset, size});
  if (found != index_.end()) return parts_[found->second];
  const cl_buffer_region region{offset, size};
  cl_int result = CL_SUCCESS;
  cl::Buffer part =
      whole_.createSubBuffer(CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &result);
  check(result, "clCreateSubBuffer", DeviceFault::Memory);
  index_.emplace(std::pair(offset, size), parts_.size());
  return parts_.emplace_back(std::move(part));
}

void Memory::release_parts() {
  index_.clear();
  while (!parts_.empty()) parts_.pop_back();
}

MemoryPool::MemoryPool(cl::Context context, const Traits& traits)
    : context_(std::move(context)),
      largest_(traits.largest_buffer),
      // Memory that the driver shares with the host can be mapped without a copy.
      flags_(CL_MEM_READ_WRITE | (traits.unified_memory ? CL_MEM_ALLOC_HOST_PTR : 0)) {}

std::shared_ptr<Memory> MemoryPool::take(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  std::vector<std::shared_ptr<Memory>>& kept = kept_[size];
  if (!kept.empty()) {
    std::shared_ptr<Memory> memory = std::move(kept.back());
    kept.pop_back();
    kept_bytes_ -= size;
    return memory;
  }
  if (bytes > largest_) {
    throw DeviceError("a buffer of " + std::to_string(bytes) + " bytes: the device's largest is " +
                          std::to_string(largest_) + " (CL_DEVICE_MAX_MEM_ALLOC_SIZE)",
                      DeviceFault::Memory);
  }
  cl_int result = CL_SUCCESS;
  cl::Buffer memory(context_, flags_, size, nullptr, &result);
  if (result != CL_SUCCESS && kept_bytes_ != 0) {  // what is kept may be what is missing
    kept_.clear();
    kept_bytes_ = 0;
    memory = cl::Buffer(context_, flags_, size, nullptr, &result);
  }
  check(result, ("clCreateBuffer of " + std::to_string(size) + " bytes").c_str(),
        DeviceFault::Memory);
  return std::make_shared<Memory>(std::move(memory), size);
}

void MemoryPool::give_back(std::shared_ptr<Memory> memory, std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (kept_bytes_ + size > kKeptBytes) return;
  if (memory.use_count() == 1) memory->release_parts();
  kept_[size].push_back(std::move(memory));
  kept_bytes_ += size;
}

const std::shared_ptr<Memory>& memory_of(const View& view) {
  return static_cast<const ClBuffer&>(*view.buffer).memory();
}

void copy_in(const cl::CommandQueue& queue, const Traits& traits, const View& to,
             std::span<const std::byte> data) {
  if (data.size() > to.bytes) throw UsageError("write leaves its view");
  if (data.empty()) return;
  if (traits.unified_memory) {
    const Mapped mapped(queue, to, data.size(), CL_MAP_WRITE_INVALIDATE_REGION);
    std::memcpy(mapped.data(), data.data(), data.size());
  } else {
    check(queue.enqueueWriteBuffer(memory_of(to)->whole(), CL_TRUE, to.offset, data.size(),
                                   data.data()),
          "clEnqueueWriteBuffer");
  }
}

void copy_out(const cl::CommandQueue& queue, const Traits& traits, const View& from,
              std::span<std::byte> data) {
  if (data.size() > from.bytes) throw UsageError("read leaves its view");
  if (data.empty()) return;
  if (traits.unified_memory) {
    const Mapped mapped(queue, from, data.size(), CL_MAP_READ);
    std::memcpy(data.data(), mapped.data(), data.size());
  } else {
    check(queue.enqueueReadBuffer(memory_of(from)->whole(), CL_TRUE, from.offset, data.size(),
                                  data.data()),
          "clEnqueueReadBuffer");
  }
}

}  // namespace rotor::opencl
