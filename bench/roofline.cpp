#include "bench/roofline.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>

#include "bench/arithmetic.h"
#include "bench/sampling.h"
#include "bench/timed_launch.h"
#include "core/error.h"
#include "core/random.h"
#include "core/stats.h"
#include "kernels/roof.h"
#include "runtime/choose.h"
#include "runtime/large_memory.h"
#include "runtime/threads.h"

namespace rotor {
namespace {

constexpr int kSamples = 9;
constexpr double kSampleSeconds = 1.5e-3;
constexpr std::size_t kSmallest = 32u << 10;
constexpr std::size_t kMostMemory = 1u << 30;
constexpr std::size_t kSmallTable = 64u << 20;
constexpr std::size_t kLargeTable = 512u << 20;
constexpr std::uint32_t kLaunches = 32;  // of a sample: as cases are launched

// What lies beyond the caches: four times their size, so that three quarters of it come from memory.
std::size_t memory_footprint(const DeviceInfo& info) {
  const std::size_t cache = info.cache_bytes == 0 ? 64u << 20 : info.cache_bytes;
  return std::clamp<std::size_t>(4 * cache, 64u << 20, kMostMemory);
}

// Of tables that are read by a kernel: twice the cache at least, in one view.
std::size_t largest_table(const DeviceInfo& info) {
  if (info.kind == "software") return kSmallTable;
  return std::min(std::clamp(2 * info.cache_bytes, kSmallTable, kLargeTable), info.max_view_bytes);
}

// 32 KiB, 128 KiB, ... below `last`, and `last`.
std::vector<std::size_t> footprints(std::size_t first, std::size_t last) {
  std::vector<std::size_t> sizes;
  for (std::size_t size = first; size < last; size *= 4) sizes.push_back(size);
  sizes.push_back(last);
  return sizes;
}

Roof finished(Roof roof) {
  roof.median = median(roof.samples);
  return roof;
}

// Calls `body(times)` often enough to last for a sample, a few times over; seconds of one.
std::vector<double> sample(const std::function<void(std::uint64_t)>& body) {
  const auto seconds = [&](std::uint64_t times) {
    const double start = steady_seconds();
    body(times);
    return steady_seconds() - start;
  };
  std::uint64_t times = 1;
  for (double took = seconds(1); took < kSampleSeconds; took = seconds(times)) {
    times = took < kSampleSeconds / 8 ? 8 * times : 2 * times;
  }
  std::vector<double> samples;
  for (int i = 0; i < kSamples; ++i) samples.push_back(seconds(times) / static_cast<double>(times));
  return samples;
}

}  // namespace

struct RoofMeter::Host {
  explicit Host(const DeviceInfo& info)
      : id(info.id), pool(info.threads), kernels(roof_kernels(info.features)) {
    bytes = memory_footprint(info);
    data = large_memory(bytes);  // as the buffers of the device are
    if (data == nullptr) {
      throw DeviceError("out of memory: " + std::to_string(bytes) + " bytes to read",
                        DeviceFault::Memory);
    }
    Random random(1);  // any bytes but equal ones, which hardware may compress
    for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
      const std::uint64_t word = random.bits();
      std::memcpy(data.get() + at, &word, sizeof word);
    }
  }

  // Reads `footprint` bytes, each of `threads` workers its own part of them.
  Roof read(std::size_t footprint, unsigned threads, const std::string& at) {
    const std::size_t part =
        std::max<std::size_t>(footprint / threads / kRoofBlock * kRoofBlock, kRoofBlock);
    const std::byte* begin = data.get();
    const std::vector<double> seconds = sample([&](std::uint64_t times) {
      pool.run([&](unsigned worker) {
        if (worker >= threads) return;
        for (std::uint64_t i = 0; i < times; ++i) use(kernels.read(begin + worker * part, part));
      });
    });
    Roof roof{id, "read_bw", part * threads, at, 0, "bytes/s", {}, {}};
    for (const double s : seconds) roof.samples.push_back(static_cast<double>(part * threads) / s);
    if (threads < pool.size()) roof.threads = threads;
    return finished(roof);
  }

  Roof compute(const RoofArithmetic& arithmetic, const std::string& at) {
    constexpr std::uint64_t kBlocks = 1000;
    const std::vector<double> seconds = sample([&](std::uint64_t times) {
      pool.run([&](unsigned) { use(arithmetic.run(times * kBlocks)); });
    });
    Roof roof{id, std::string(arithmetic.kind), {}, at, 0, "ops/s", {}, {}};
    for (const double s : seconds) {
      roof.samples.push_back(arithmetic.ops * kBlocks * pool.size() / s);
    }
    return finished(roof);
  }

  static void use(std::uint64_t value) { ROTOR_OPAQUE(value); }

  std::string id;
  WorkerPool pool;
  RoofKernels kernels;
  std::size_t bytes = 0;
  std::shared_ptr<std::byte> data;
};

RoofMeter::RoofMeter(Device& device) : device_(device) {
  if (device.info().backend == Backend::Cpu) host_ = std::make_unique<Host>(device.info());
}
RoofMeter::~RoofMeter() = default;

std::vector<Roof> RoofMeter::measure_launch(const std::string& at) {
  KernelSet kernels(device_);
  const Kernel& kernel = kernels.get(Op::NormQuant, Packing::None, 1);
  TimedLaunch launch(device_, kernel, NormParams{1, 64, activation_stride(64), 1e-5f}, kLaunches);
  launch.seconds(kLaunches);
  Roof roof{device_.info().id, "launch_latency", {}, at, 0, "ns", {}, {}};
  for (int i = 0; i < kSamples; ++i) roof.samples.push_back(1e9 * launch.seconds(kLaunches));
  return {finished(roof)};
}

std::vector<Roof> RoofMeter::measure_transfers(const std::string& at) {
  constexpr std::size_t kBytes = 16u << 20;
  const std::unique_ptr<Buffer> buffer = device_.allocate(kBytes);
  std::vector<std::byte> host(kBytes, std::byte{0x5a});
  std::vector<Roof> roofs;
  const auto add = [&](const char* kind, const std::function<void()>& copy) {
    Roof roof{device_.info().id, kind, kBytes, at, 0, "bytes/s", {}, {}};
    for (const double s : sample([&](std::uint64_t times) {
           for (std::uint64_t i = 0; i < times; ++i) copy();
         })) {
      roof.samples.push_back(kBytes / s);
    }
    roofs.push_back(finished(roof));
  };
  add("h2d_bw", [&] { device_.write(*buffer, host); });
  add("d2h_bw", [&] { device_.read(*buffer, host); });
  return roofs;
}

// A product of one token with a dense table does two operations for four bytes: it reads.
std::vector<Roof> RoofMeter::measure_table_reads(const std::vector<std::size_t>& sizes,
                                                 const std::string& at) {
  constexpr std::uint32_t k = 2048;
  KernelSet kernels(device_);
  const Kernel& kernel = kernels.get(Op::Head, Packing::F32, 1);
  std::vector<Roof> roofs;
  for (const std::size_t bytes : sizes) {
    const auto n = static_cast<std::uint32_t>(bytes / (k * sizeof(float)));
    TimedLaunch launch(device_, kernel, HeadParams{1, n, k, n});
    launch.seconds(1);
    Roof roof{device_.info().id, "read_bw", bytes, at, 0, "bytes/s", {}, {}};
    for (int i = 0; i < kSamples; ++i) {
      roof.samples.push_back(static_cast<double>(bytes) / launch.seconds(2));
    }
    roofs.push_back(finished(roof));
  }
  return roofs;
}

std::vector<Roof> RoofMeter::measure_all(const std::string& at) {
  std::vector<Roof> roofs;
  const auto append = [&](const std::vector<Roof>& more) {
    roofs.insert(roofs.end(), more.begin(), more.end());
  };
  if (host_) {
    for (const std::size_t size : footprints(kSmallest, host_->bytes)) {
      roofs.push_back(host_->read(size, host_->pool.size(), at));
      if (host_->pool.size() > 1) roofs.push_back(host_->read(size, 1, at));
    }
    for (const RoofArithmetic& a : host_->kernels.arithmetic)
      roofs.push_back(host_->compute(a, at));
    append(measure_launch(at));
    return roofs;
  }
  append(measure_launch(at));
  append(measure_transfers(at));
  append(measure_table_reads(footprints(1u << 20, largest_table(device_.info())), at));
  append(measure_arithmetic(device_, at));
  return roofs;
}

std::vector<Roof> RoofMeter::measure_controls(const std::string& at) {
  std::vector<Roof> roofs;
  if (!host_) return measure_table_reads({largest_table(device_.info())}, at);
  roofs.push_back(host_->read(host_->bytes, host_->pool.size(), at));
  for (const RoofArithmetic& a : host_->kernels.arithmetic) roofs.push_back(host_->compute(a, at));
  return roofs;
}

double roof_drift(const std::vector<Roof>& roofs, const std::string& device) {
  std::map<std::string, std::size_t> largest;  // footprints of read_bw, by kind
  for (const Roof& r : roofs) {
    if (r.device == device && !r.threads) {
      largest[r.kind] = std::max<std::size_t>(largest[r.kind], r.footprint_bytes.value_or(0));
    }
  }
  std::map<std::string, std::vector<double>> medians;
  for (const Roof& r : roofs) {
    const bool control = r.unit == "ops/s" || r.kind == "read_bw";
    if (r.device != device || r.threads || !control) continue;
    if (r.footprint_bytes.value_or(0) == largest[r.kind]) medians[r.kind].push_back(r.median);
  }
  double worst = 0;
  for (const auto& [kind, values] : medians) {
    worst = std::max(worst, 1 - values.back() / values.front());
  }
  return worst;
}

}  // namespace rotor
