// Device: ten operations and no more. The CPU, OpenCL and Vulkan are devices alike.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/variant.h"

namespace rotor {

// Who a device is. `features` already has the user's mask applied.
struct DeviceInfo {
  std::string id;    // "cpu:0", "vulkan:1"
  std::string name;  // as the driver tells it
  Backend backend = Backend::Cpu;
  std::string kind;  // cpu, integrated, discrete, software, other
  Features features = 0;
  unsigned threads = 1;  // CPU workers
  std::string driver;
  std::string api_version;
  std::string vendor_id;  // "0x10de", empty for a CPU
  std::string device_id;
  std::map<std::string, std::string> facts;  // limits and properties for the report
  // Largest last-level cache in bytes, 0 if unknown: cold weights must exceed it.
  std::size_t cache_bytes = 0;
  // Largest view that a kernel can bind: bigger tables are processed in slices.
  std::size_t max_view_bytes = std::numeric_limits<std::size_t>::max();
};

// Covers the largest last-level caches of GPUs of a kind (128 MiB on discrete cards, 32 MiB beside
// integrated ones), so that "cold" is cold where a driver does not tell.
std::size_t assumed_cache_bytes(std::string_view kind);

// Memory on one device. Does not outlive its Device. Contents of fresh memory are undefined.
class Buffer {
 public:
  explicit Buffer(std::size_t bytes) : bytes_(bytes) {}
  virtual ~Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
};

// Offsets of views that kernels bind are multiples of this: no device known here asks for more
// (OpenCL sub-buffers on NVIDIA GPUs; Vulkan allows devices at most 256).
inline constexpr std::size_t kViewAlignment = 512;

// Part of a buffer.
struct View {
  Buffer* buffer = nullptr;
  std::size_t offset = 0;
  std::size_t bytes = 0;

  View() = default;
  View(Buffer& whole) : buffer(&whole), bytes(whole.bytes()) {}  // a whole buffer is a view
  View(Buffer& part_of, std::size_t from, std::size_t size)
      : buffer(&part_of), offset(from), bytes(size) {}
};

// A variant made ready on one device. Does not outlive its Device, and holds its variant by value.
class Kernel {
 public:
  explicit Kernel(KernelVariant variant) : variant_(std::move(variant)) {}
  virtual ~Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  const KernelVariant& variant() const { return variant_; }

 private:
  KernelVariant variant_;
};

// Recorded dispatches. Does not outlive its Device, nor the buffers and kernels it names.
class Sequence {
 public:
  virtual ~Sequence() = default;
};

// host_seconds: from submission to done, as the host sees it. device_seconds: from the first start
// to the last end on the device's own clock, where it has one. Never mixed.
struct Timing {
  double host_seconds = 0;
  std::optional<double> device_seconds;
};

// Every operation may throw DeviceError. Once its fault was Lost, all that can be done is to destroy
// what was made on the device, and the device; the same device can then be opened anew.
class Device {
 public:
  virtual ~Device() = default;
  virtual const DeviceInfo& info() const = 0;  // identity and feature bits

  // Throws DeviceError with fault Memory when memory is short.
  virtual std::unique_ptr<Buffer> allocate(std::size_t bytes) = 0;
  // The same for a few bytes that kernels write and the host reads after every step: where the host reads
  // fast, if that is another place.
  virtual std::unique_ptr<Buffer> allocate_for_host(std::size_t bytes) { return allocate(bytes); }
  // A buffer of these bytes that nobody will write to. A device in host memory uses them where they lie
  // and keeps their owner for as long (none: they outlive the buffer); others copy them.
  virtual std::unique_ptr<Buffer> share(std::span<const std::byte> bytes,
                                        std::shared_ptr<const void> owner);
  // Blocking copies; data.size() bytes from or to the start of the view. They wait for all
  // dispatches made before.
  virtual void write(View to, std::span<const std::byte> data) = 0;
  virtual void read(View from, std::span<std::byte> data) = 0;

  // Compiles once. Throws UnsupportedError if the device lacks what the variant needs, DeviceError
  // with fault Compile if the driver's compiler fails.
  virtual std::unique_ptr<Kernel> prepare(const KernelVariant& variant) = 0;

  // Enqueues one run of a kernel. Views are bound in the order of the op's contract and checked
  // against its sizes (UsageError if one is too small); the number of work-groups follows from the
  // contract, the parameters and the variant's tile. In order: each dispatch sees the data of those
  // before it. A buffer or kernel that goes before finish() may take its dispatches with it.
  virtual void dispatch(const Kernel& kernel, std::span<const View> views,
                        std::span<const std::byte> params) = 0;
  // Submits what was dispatched since the last finish, waits for it and tells how long it took.
  virtual Timing finish() = 0;

  // Keeps the dispatches that `body` makes instead of running them.
  virtual std::unique_ptr<Sequence> record(const std::function<void()>& body) = 0;
  // Runs them again, as they were, and waits.
  virtual Timing replay(Sequence& sequence) = 0;
};

// Checks bindings against the contract: number of views, their sizes, their alignment. Devices call
// it on every dispatch. Throws UsageError.
void check_bindings(const KernelVariant& variant, std::span<const View> views,
                    std::span<const std::byte> params);

}  // namespace rotor
