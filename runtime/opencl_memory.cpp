#include "runtime/opencl_memory.h"

#include <cstring>

#include "core/error.h"

namespace rotor::opencl {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kKeptBytes = 256u << 20;  // in the pool, at most
constexpr std::size_t kKeptViews = 256;         // sub-buffers of one buffer, at most

std::size_t rounded(std::size_t bytes) {
  return std::max((bytes + kPage - 1) / kPage * kPage, kPage);
}

// A part of a buffer in the host's address space, for as long as it lives.
class Mapped {
 public:
  Mapped(const cl::CommandQueue& queue, const View& view, std::size_t bytes, cl_map_flags flags)
      : queue_(queue), memory_(memory_of(view).memory()) {
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

MemoryPool::MemoryPool(cl::Context context, const Traits& traits)
    : context_(std::move(context)),
      largest_(traits.largest_buffer),
      // Memory that the driver shares with the host can be mapped without a copy.
      flags_(CL_MEM_READ_WRITE | (traits.unified_memory ? CL_MEM_ALLOC_HOST_PTR : 0)) {}

cl::Buffer MemoryPool::take(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  std::vector<cl::Buffer>& kept = kept_[size];
  if (!kept.empty()) {
    cl::Buffer memory = std::move(kept.back());
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
  return memory;
}

void MemoryPool::give_back(cl::Buffer memory, std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  if (kept_bytes_ + size > kKeptBytes) return;
  kept_[size].push_back(std::move(memory));
  kept_bytes_ += size;
}

ClBuffer::ClBuffer(MemoryPool& pool, std::size_t bytes, std::size_t alignment)
    : Buffer(bytes), pool_(pool), alignment_(alignment), memory_(pool.take(bytes)) {}

ClBuffer::~ClBuffer() {
  views_.clear();
  pool_.give_back(std::move(memory_), bytes());
}

cl::Buffer ClBuffer::from(std::size_t offset) {
  if (offset == 0) return memory_;
  if (offset % alignment_ != 0) {
    throw UsageError("a view at offset " + std::to_string(offset) +
                     ": this device binds multiples of " + std::to_string(alignment_));
  }
  const auto found = views_.find(offset);
  if (found != views_.end()) return found->second;
  if (views_.size() >= kKeptViews) views_.clear();  // commands hold those that they need
  cl_buffer_region region{offset, rounded(bytes()) - offset};
  cl_int result = CL_SUCCESS;
  cl::Buffer view =
      memory_.createSubBuffer(CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &result);
  check(result, "clCreateSubBuffer", DeviceFault::Memory);
  return views_.emplace(offset, std::move(view)).first->second;
}

ClBuffer& memory_of(const View& view) {
  return static_cast<ClBuffer&>(*view.buffer);
}

void copy_in(const cl::CommandQueue& queue, const Traits& traits, const View& to,
             std::span<const std::byte> data) {
  if (data.size() > to.bytes) throw UsageError("write leaves its view");
  if (data.empty()) return;
  if (traits.unified_memory) {
    const Mapped mapped(queue, to, data.size(), CL_MAP_WRITE_INVALIDATE_REGION);
    std::memcpy(mapped.data(), data.data(), data.size());
  } else {
    check(queue.enqueueWriteBuffer(memory_of(to).memory(), CL_TRUE, to.offset, data.size(),
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
    check(queue.enqueueReadBuffer(memory_of(from).memory(), CL_TRUE, from.offset, data.size(),
                                  data.data()),
          "clEnqueueReadBuffer");
  }
}

}  // namespace rotor::opencl
