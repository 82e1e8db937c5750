// The host as a Device: a queue of kernel slices, worked off by a pool in one parallel region.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>

#include "core/error.h"
#include "kernels/host_features.h"
#include "runtime/devices.h"
#include "runtime/large_memory.h"
#include "runtime/threads.h"

namespace rotor {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kMaxBuffers = 8;
constexpr std::size_t kMaxParams = 32;

// One dispatch, self-contained: parameters and pointers are copied.
struct Command {
  CpuKernel kernel;
  std::array<std::byte*, kMaxBuffers> buffers;
  alignas(8) std::array<std::byte, kMaxParams> params;
  std::uint32_t total;  // index space
  std::uint32_t slice;  // of it, per piece of work
  std::uint32_t pieces;
};

// Memory aligned to pages: kernels load whole vectors, and guards can be placed at page ends.
class CpuBuffer final : public Buffer {
 public:
  CpuBuffer(std::size_t bytes, LargeMemory& memory, std::vector<Command>& queue)
      : Buffer(bytes), queue_(queue) {
    std::shared_ptr<std::byte> taken = memory.take(bytes);
    if (taken == nullptr) {
      throw DeviceError("out of memory: " + std::to_string(bytes) + " bytes could not be had",
                        DeviceFault::Memory);
    }
    data_ = taken.get();
    owner_ = std::move(taken);
  }
  // Somebody else's memory, as it is: kernels do not rely on its alignment, and never write to weights.
  CpuBuffer(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
            std::vector<Command>& queue)
      : Buffer(bytes.size()),
        queue_(queue),
        data_(const_cast<std::byte*>(bytes.data())),
        owner_(std::move(owner)) {}
  // What waits for this memory will not run: after an error, dispatches may be left over that nobody
  // will ever wait for.
  ~CpuBuffer() override {
    std::erase_if(queue_, [this](const Command& command) {
      return std::any_of(
          command.buffers.begin(), command.buffers.end(),
          [this](const std::byte* bound) { return bound >= data_ && bound < data_ + bytes(); });
    });
  }
  std::byte* data() const { return data_; }

 private:
  std::vector<Command>& queue_;
  std::byte* data_;
  std::shared_ptr<const void> owner_;  // of data_; null: somebody who outlives us
};

class CpuKernelHandle final : public Kernel {
 public:
  using Kernel::Kernel;
};

// Progress of one command. A line of its own, so that workers do not disturb each other.
struct alignas(kCacheLine) Progress {
  std::atomic<std::uint32_t> taken{0};
  std::atomic<std::uint32_t> done{0};
};

class CpuSequence final : public Sequence {
 public:
  std::vector<Command> commands;
};

// Elements of the index space that a worker takes at a time.
//
// About four pieces a worker: enough to even out a disturbed core, few enough to stream. The query heads
// of a kv head share its cache rows; of a single token there are too few kv heads to go around, so its
// query heads are divided among all workers, though half a kv head takes more than half of its time.
std::uint32_t slice_size(const KernelVariant& variant, std::span<const std::byte> params,
                         std::uint32_t total, std::uint32_t workers) {
  if (workers == 1) return total;
  const auto slice = [total](std::uint32_t unit, std::uint32_t most) {
    const std::uint32_t units = (total + unit - 1) / unit;
    const std::uint32_t pieces = std::min(units, most);
    return (units + pieces - 1) / pieces * unit;
  };
  if (variant.op != Op::Attention) return slice(variant.grain(), 4 * workers);
  AttentionParams p;
  std::memcpy(&p, params.data(), sizeof p);
  const std::uint32_t group = p.heads / p.kv_heads;
  if (total >= 8 * workers * group) return slice(group, 4 * workers);
  return slice(group % 2 == 0 ? group / 2 : group, workers);
}

struct ScratchDeleter {
  void operator()(std::byte* p) const { std::free(p); }
};
using Scratch = std::unique_ptr<std::byte, ScratchDeleter>;

// A build for trials of the gate makes one kernel slower by so many percent.
void run_kernel(CpuKernel kernel, const CpuCall& call) {
#ifdef ROTOR_SLOW_KERNEL
  using Clock = std::chrono::steady_clock;
  static const KernelVariant* const slow = find_variant(ROTOR_SLOW_KERNEL);
  const Clock::time_point start = Clock::now();
  kernel(call);
  if (slow == nullptr || kernel != slow->cpu) return;
  const auto until = Clock::now() + (Clock::now() - start) * ROTOR_SLOW_PERCENT / 100;
  while (Clock::now() < until) {
  }
#else
  kernel(call);
#endif
}

class CpuDevice final : public Device {
 public:
  CpuDevice(DeviceInfo info, unsigned threads) : info_(std::move(info)), pool_(threads) {
    for (unsigned i = 0; i < threads; ++i) {
      scratch_.emplace_back(static_cast<std::byte*>(std::aligned_alloc(4096, kScratchBytes)));
      if (scratch_.back() == nullptr) {
        throw DeviceError("out of memory: scratch of a worker", DeviceFault::Memory);
      }
    }
    region_ = [this](unsigned worker) { work(worker); };
  }

  const DeviceInfo& info() const override { return info_; }

  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    return std::make_unique<CpuBuffer>(bytes, memory_, queue_);
  }

  std::unique_ptr<Buffer> share(std::span<const std::byte> bytes,
                                std::shared_ptr<const void> owner) override {
    return std::make_unique<CpuBuffer>(bytes, std::move(owner), queue_);
  }

  void write(View to, std::span<const std::byte> data) override {
    finish();
    if (data.size() > to.bytes) throw UsageError("write leaves its view");
    std::memcpy(pointer(to), data.data(), data.size());
  }

  void read(View from, std::span<std::byte> data) override {
    finish();
    if (data.size() > from.bytes) throw UsageError("read leaves its view");
    std::memcpy(data.data(), pointer(from), data.size());
  }

  std::unique_ptr<Kernel> prepare(const KernelVariant& variant) override;
  void dispatch(const Kernel& kernel, std::span<const View> views,
                std::span<const std::byte> params) override;

  Timing finish() override {
    const Timing timing = run(queue_);
    queue_.clear();
    return timing;
  }

  std::unique_ptr<Sequence> record(const std::function<void()>& body) override {
    finish();
    try {
      body();
    } catch (...) {
      queue_.clear();
      throw;
    }
    auto sequence = std::make_unique<CpuSequence>();
    sequence->commands.swap(queue_);
    return sequence;
  }

  Timing replay(Sequence& sequence) override {
    finish();
    return run(static_cast<CpuSequence&>(sequence).commands);
  }

 private:
  static std::byte* pointer(const View& view) {
    return static_cast<CpuBuffer*>(view.buffer)->data() + view.offset;
  }

  Timing run(std::span<const Command> commands);
  void work(unsigned worker);

  DeviceInfo info_;
  LargeMemory memory_;
  WorkerPool pool_;
  std::vector<Scratch> scratch_;
  std::function<void(unsigned)> region_;
  std::vector<Command> queue_;
  std::span<const Command> running_;
  std::unique_ptr<Progress[]> progress_;
  std::size_t progress_size_ = 0;
};

std::unique_ptr<Kernel> CpuDevice::prepare(const KernelVariant& variant) {
  if (variant.backend != Backend::Cpu || variant.cpu == nullptr) {
    throw UnsupportedError("other_backend", std::string(variant.name) + " is not a CPU kernel");
  }
  const Features missing = variant.needs & ~info_.features;
  if (missing != 0) {
    throw UnsupportedError("no_" + feature_list(missing & (~missing + 1)),
                           std::string(variant.name) + " needs " + feature_list(missing));
  }
  return std::make_unique<CpuKernelHandle>(variant);
}

void CpuDevice::dispatch(const Kernel& kernel, std::span<const View> views,
                         std::span<const std::byte> params) {
  const KernelVariant& variant = kernel.variant();
  check_bindings(variant, views, params);
  Command command{};
  command.kernel = variant.cpu;
  for (std::size_t i = 0; i < views.size(); ++i) command.buffers[i] = pointer(views[i]);
  std::copy(params.begin(), params.end(), command.params.begin());
  command.total = index_space(variant.op, params);
  if (command.total == 0) return;
  command.slice = slice_size(variant, params, command.total, pool_.size());
  command.pieces = (command.total + command.slice - 1) / command.slice;
  queue_.push_back(command);
}

Timing CpuDevice::run(std::span<const Command> commands) {
  if (commands.empty()) return {};
  if (progress_size_ < commands.size()) {
    progress_size_ = std::max<std::size_t>(2 * commands.size(), 64);
    progress_ = std::make_unique<Progress[]>(progress_size_);
  }
  for (std::size_t i = 0; i < commands.size(); ++i) {
    progress_[i].taken.store(0, std::memory_order_relaxed);
    progress_[i].done.store(0, std::memory_order_relaxed);
  }
  running_ = commands;
  const auto start = std::chrono::steady_clock::now();
  pool_.run(region_);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return {.host_seconds = elapsed.count(), .device_seconds = std::nullopt};
}

// Every worker walks through all commands, takes pieces of each until none is left, and waits for
// the others' pieces: counting finished pieces is all the barrier there is.
void CpuDevice::work(unsigned worker) {
  for (std::size_t i = 0; i < running_.size(); ++i) {
    const Command& command = running_[i];
    Progress& progress = progress_[i];
    std::uint32_t mine = 0;
    while (true) {
      const std::uint32_t piece = progress.taken.fetch_add(1, std::memory_order_relaxed);
      if (piece >= command.pieces) break;
      const CpuCall call{.buffers = command.buffers.data(),
                         .params = command.params.data(),
                         .begin = piece * command.slice,
                         .end = std::min(command.total, (piece + 1) * command.slice),
                         .scratch = scratch_[worker].get()};
      run_kernel(command.kernel, call);
      ++mine;
    }
    if (mine != 0 &&
        progress.done.fetch_add(mine, std::memory_order_acq_rel) + mine == command.pieces) {
      progress.done.notify_all();
    }
    wait_for(progress.done, command.pieces);
  }
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown CPU";
}

// The largest cache that sysfs tells of, 0 if none.
std::size_t largest_cache() {
  std::size_t largest = 0;
  for (int i = 0; i < 8; ++i) {
    std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/size");
    std::size_t size = 0;
    char unit = 'B';
    if (!(file >> size)) continue;
    file >> unit;
    largest = std::max(largest, size << (unit == 'K' ? 10 : unit == 'M' ? 20 : 0));
  }
  return largest;
}

}  // namespace

std::unique_ptr<Device> open_cpu(const DeviceOptions& options) {
  DeviceInfo info;
  info.id = "cpu:0";
  info.name = cpu_name();
  info.backend = Backend::Cpu;
  info.kind = "cpu";
  info.features = host_features() & options.feature_mask;
  info.threads =
      options.threads != 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  info.cache_bytes = largest_cache();
  info.facts["features"] = feature_list(info.features);
  info.facts["threads"] = std::to_string(info.threads);
  const unsigned threads = info.threads;
  return std::make_unique<CpuDevice>(std::move(info), threads);
}

}  // namespace rotor
