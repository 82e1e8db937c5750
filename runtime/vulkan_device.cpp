// Vulkan as a Device.
#include "runtime/vulkan_device.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/error.h"
#include "runtime/meeting.h"
#include "runtime/vulkan_commands.h"
#include "runtime/vulkan_memory.h"
#include "runtime/vulkan_timeline.h"
#include "runtime/vulkan_traits.h"

namespace rotor {
namespace {

constexpr VkDeviceSize kStagingBytes = VkDeviceSize{8} << 20;
// Buffers up to this size are mapped where possible: steps and token ids.
constexpr std::size_t kSmallBuffer = 64u << 10;
// Reading more than this through memory that is not cached costs more than a copy by the device.
constexpr std::size_t kSmallRead = 1u << 10;
// A submission is cut, between dispatches, to take about half of the 100 ms that watchdogs and users allow.
constexpr double kSubmissionSeconds = 0.05;
// Multiply-adds per second assumed until something was measured.
constexpr double kFirstRate = 5e10;
constexpr double kFirstRateSoftware = 5e8;
// Shorter runs say nothing about the rate.
constexpr double kShortestMeasuredRun = 1e-3;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class VulkanBuffer final : public Buffer {
 public:
  VulkanBuffer(VulkanMemory& memory, DispatchQueue& queue, std::size_t bytes, Residence residence)
      : Buffer(bytes), memory_(memory), queue_(queue), piece_(memory.allocate(bytes, residence)) {}
  ~VulkanBuffer() override {
    queue_.forget(piece_);
    memory_.release(piece_);
  }
  const VulkanPiece& piece() const { return piece_; }

 private:
  VulkanMemory& memory_;
  DispatchQueue& queue_;
  VulkanPiece piece_;
};

class VulkanKernel final : public Kernel {
 public:
  VulkanKernel(const KernelVariant& variant, VkDevice device, DispatchQueue& queue,
               VkPipeline pipeline)
      : Kernel(variant), device_(device), queue_(queue), pipeline_(pipeline) {}
  ~VulkanKernel() override {
    queue_.forget(pipeline_);
    vkDestroyPipeline(device_, pipeline_, nullptr);
  }
  VkPipeline pipeline() const { return pipeline_; }
  // Work-groups of every dispatch of a kernel whose work-groups meet; 0: as many as there is work for.
  std::uint32_t meeting_groups() const { return meeting_groups_; }
  void set_meeting_groups(std::uint32_t count) { meeting_groups_ = count; }

 private:
  VkDevice device_;
  DispatchQueue& queue_;
  VkPipeline pipeline_;
  std::uint32_t meeting_groups_ = 0;
};

class VulkanSequence final : public Sequence {
 public:
  VulkanSequence(VkDevice device, const VulkanTraits& traits, const VulkanPipelines& pipelines)
      : recording(device, traits, pipelines) {}
  VulkanRecording recording;
  bool empty = true;
};

// Destroyed after everything that was made on it.
class DeviceHandle {
 public:
  explicit DeviceHandle(const VulkanTraits& traits) : device_(create_vulkan_device(traits)) {}
  ~DeviceHandle() {
    vkDeviceWaitIdle(device_);
    vkDestroyDevice(device_, nullptr);
  }
  DeviceHandle(const DeviceHandle&) = delete;
  DeviceHandle& operator=(const DeviceHandle&) = delete;
  VkDevice get() const { return device_; }

 private:
  VkDevice device_;
};

class VulkanDevice final : public Device {
 public:
  explicit VulkanDevice(VulkanTraits traits);
  ~VulkanDevice() override;

  const DeviceInfo& info() const override { return traits_.info; }
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    const Residence residence = bytes <= kSmallBuffer ? Residence::Small : Residence::Device;
    return std::make_unique<VulkanBuffer>(memory_, queued_, bytes, residence);
  }
  std::unique_ptr<Buffer> allocate_for_host(std::size_t bytes) override {
    return std::make_unique<VulkanBuffer>(memory_, queued_, bytes, Residence::Host);
  }
  void write(View to, std::span<const std::byte> data) override;
  void read(View from, std::span<std::byte> data) override;
  std::unique_ptr<Kernel> prepare(const KernelVariant& variant) override;
  void dispatch(const Kernel& kernel, std::span<const View> views,
                std::span<const std::byte> params) override;
  Timing finish() override;
  std::unique_ptr<Sequence> record(const std::function<void()>& body) override;
  Timing replay(Sequence& sequence) override;

 private:
  Timing run(const VulkanRecording& recording);
  double cost_limit() const { return rate_ * kSubmissionSeconds; }
  void copy(VkBuffer from, VkBuffer to, const VkBufferCopy& region);
  const VulkanPiece& staging();

  VulkanTraits traits_;
  DeviceHandle device_;
  VkQueue queue_ = VK_NULL_HANDLE;
  LaunchLimits limits_;
  VulkanMemory memory_;
  VulkanPipelines pipelines_;
  Timeline timeline_;
  VulkanRecording scratch_;  // what finish() submits
  DispatchQueue queued_;
  std::optional<VulkanPiece> staging_;
  double rate_;  // multiply-adds per second
  std::size_t complaints_seen_ = 0;
};

// The attention shaders keep a query in shared memory.
void check_head_size(const KernelVariant& variant, std::span<const std::byte> params) {
  constexpr std::uint32_t kLargestHead = 256;
  if (variant.op != Op::Attention) return;
  AttentionParams p;
  std::memcpy(&p, params.data(), sizeof p);
  if (p.head_dim <= kLargestHead) return;
  throw UsageError(std::string(variant.name) + ": heads of " + std::to_string(p.head_dim) +
                   " elements; at most " + std::to_string(kLargestHead) + " are possible");
}

VulkanDevice::VulkanDevice(VulkanTraits traits)
    : traits_(std::move(traits)),
      device_(traits_),
      limits_(launch_limits(traits_)),
      memory_(device_.get(), traits_),
      pipelines_(device_.get(), traits_),
      timeline_(device_.get()),
      scratch_(device_.get(), traits_, pipelines_),
      rate_(limits_.software ? kFirstRateSoftware : kFirstRate) {
  vkGetDeviceQueue(device_.get(), traits_.queue_family, 0, &queue_);
}

VulkanDevice::~VulkanDevice() {
  vkDeviceWaitIdle(device_.get());
}

const VulkanPiece& VulkanDevice::staging() {
  if (!staging_) staging_ = memory_.allocate(kStagingBytes, Residence::Host);
  return *staging_;
}

void VulkanDevice::copy(VkBuffer from, VkBuffer to, const VkBufferCopy& region) {
  scratch_.record_copy(from, to, region);
  timeline_.submit(queue_, scratch_.buffers().front());
  timeline_.wait();
}

void VulkanDevice::write(View to, std::span<const std::byte> data) {
  finish();
  if (data.size() > to.bytes) throw UsageError("write leaves its view");
  const VulkanPiece& piece = static_cast<VulkanBuffer*>(to.buffer)->piece();
  if (piece.mapped != nullptr) {
    if (!data.empty()) std::memcpy(piece.mapped + to.offset, data.data(), data.size());
    return;
  }
  for (std::size_t at = 0; at < data.size(); at += kStagingBytes) {
    const std::size_t count = std::min<std::size_t>(kStagingBytes, data.size() - at);
    std::memcpy(staging().mapped, data.data() + at, count);
    copy(
        staging().buffer, piece.buffer,
        {.srcOffset = staging().offset, .dstOffset = piece.offset + to.offset + at, .size = count});
  }
}

void VulkanDevice::read(View from, std::span<std::byte> data) {
  finish();
  if (data.size() > from.bytes) throw UsageError("read leaves its view");
  const VulkanPiece& piece = static_cast<VulkanBuffer*>(from.buffer)->piece();
  if (piece.mapped != nullptr && (piece.cached || data.size() <= kSmallRead)) {
    if (!data.empty()) std::memcpy(data.data(), piece.mapped + from.offset, data.size());
    return;
  }
  for (std::size_t at = 0; at < data.size(); at += kStagingBytes) {
    const std::size_t count = std::min<std::size_t>(kStagingBytes, data.size() - at);
    copy(piece.buffer, staging().buffer,
         {.srcOffset = piece.offset + from.offset + at,
          .dstOffset = staging().offset,
          .size = count});
    std::memcpy(data.data() + at, staging().mapped, count);
  }
}

std::unique_ptr<Kernel> VulkanDevice::prepare(const KernelVariant& variant) {
  const std::string name(variant.name);
  if (variant.backend != Backend::Vulkan || variant.spirv == nullptr) {
    throw UnsupportedError("other_backend", name + " is not a Vulkan kernel");
  }
  const Features missing = variant.needs & ~traits_.info.features;
  if (missing != 0) {
    throw UnsupportedError("no_" + feature_list(missing & (~missing + 1)),
                           name + " needs " + feature_list(missing));
  }
  const LaunchShape shape = launch_shape(variant, limits_);
  if (shape.invocations > limits_.max_invocations) {
    throw UnsupportedError("work_group_too_large",
                           name + " needs work-groups of " + std::to_string(shape.invocations) +
                               "; the device allows " + std::to_string(limits_.max_invocations));
  }
  if (has_meetings(variant.op)) {
    const bool is_layers = variant.op == Op::Layers;
    if (is_layers && limits_.software) {
      throw UnsupportedError("no_meeting", name +
                                               " is not for software devices: lavapipe (Mesa 22.3) "
                                               "computes it wrong, and they gain nothing by it");
    }
    const std::uint32_t lanes = is_layers ? 32 : 4;
    const std::uint32_t invocations = meeting_invocations(variant.op);
    if (limits_.subgroup_size < lanes || shape.invocations < invocations) {
      throw UnsupportedError("work_group_too_small",
                             name + " needs subgroups of " + std::to_string(lanes) +
                                 " and work-groups of " + std::to_string(invocations) +
                                 "; the device has " + std::to_string(limits_.subgroup_size) +
                                 " and " + std::to_string(shape.invocations));
    }
  }
  auto kernel = std::make_unique<VulkanKernel>(variant, device_.get(), queued_,
                                               pipelines_.create(variant, shape));
  if (has_meetings(variant.op)) {
    kernel->set_meeting_groups(
        find_meeting_groups(*this, *kernel, limits_.multiprocessors,
                            [&](std::uint32_t groups) { kernel->set_meeting_groups(groups); }));
  }
  return kernel;
}

void VulkanDevice::dispatch(const Kernel& kernel, std::span<const View> views,
                            std::span<const std::byte> params) {
  const KernelVariant& variant = kernel.variant();
  check_bindings(variant, views, params);
  if (index_space(variant.op, params) == 0) return;
  check_head_size(variant, params);
  VulkanDispatch d;
  d.pipeline = static_cast<const VulkanKernel&>(kernel).pipeline();
  d.buffer_count = static_cast<std::uint32_t>(views.size());
  const Contract& op = contract(variant.op);
  const VkPhysicalDeviceLimits& limits = traits_.properties.limits;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const VulkanPiece& piece = static_cast<VulkanBuffer*>(views[i].buffer)->piece();
    // Whole words, as the shaders read them; pieces are padded to 256 bytes.
    const std::size_t bytes = (views[i].bytes + 15) / 16 * 16;
    d.buffers[i] = {piece.buffer, piece.offset + views[i].offset,
                    std::min<VkDeviceSize>(bytes, piece.bytes - views[i].offset)};
    const Access access = op.buffers[i].access;
    d.writes[i] = access == Access::Write || access == Access::ReadWrite;
    if (d.buffers[i].offset % limits.minStorageBufferOffsetAlignment != 0) {
      throw UsageError(std::string(variant.name) + ": view of '" + std::string(op.buffers[i].name) +
                       "' begins at " + std::to_string(views[i].offset) +
                       ", which is not a multiple of " +
                       std::to_string(limits.minStorageBufferOffsetAlignment));
    }
    if (d.buffers[i].range > limits.maxStorageBufferRange) {
      throw UsageError(std::string(variant.name) + ": view of '" + std::string(op.buffers[i].name) +
                       "' is larger than the " + std::to_string(limits.maxStorageBufferRange) +
                       " bytes that this device can bind");
    }
  }
  d.param_bytes = static_cast<std::uint32_t>(params.size());
  std::copy(params.begin(), params.end(), d.params.begin());
  d.groups = launch_groups(variant, params, limits_);
  const std::uint32_t meeting = static_cast<const VulkanKernel&>(kernel).meeting_groups();
  if (meeting != 0) d.groups = {meeting, 1, 1};
  d.cost = launch_cost(variant, params);
  queued_.push(d);
}

Timing VulkanDevice::finish() {
  if (queued_.empty()) return {};
  const ClearedAtEnd cleared{queued_};
  scratch_.record(queued_.list(), cost_limit());
  return run(scratch_);
}

std::unique_ptr<Sequence> VulkanDevice::record(const std::function<void()>& body) {
  finish();
  const ClearedAtEnd cleared{queued_};
  body();
  auto sequence = std::make_unique<VulkanSequence>(device_.get(), traits_, pipelines_);
  sequence->empty = queued_.empty();
  sequence->recording.record(queued_.list(), cost_limit());
  return sequence;
}

Timing VulkanDevice::replay(Sequence& sequence) {
  finish();
  const auto& recorded = static_cast<VulkanSequence&>(sequence);
  return recorded.empty ? Timing{} : run(recorded.recording);
}

Timing VulkanDevice::run(const VulkanRecording& recording) {
  const auto start = Clock::now();
  for (const VkCommandBuffer buffer : recording.buffers()) timeline_.submit(queue_, buffer);
  timeline_.wait();
  Timing timing{.host_seconds = seconds_since(start), .device_seconds = recording.device_seconds()};
  const double seconds = timing.device_seconds.value_or(timing.host_seconds);
  if (seconds > kShortestMeasuredRun) rate_ = 0.5 * rate_ + 0.5 * recording.cost() / seconds;
  if (const std::size_t count = vulkan_complaint_count(); count != complaints_seen_) {
    complaints_seen_ = count;
    throw DeviceError("validation: " + vulkan_complaints().back());
  }
  return timing;
}

}  // namespace

void list_vulkan(const DeviceOptions& options, DeviceList& list) {
  try {
    std::string reason;
    const auto found = VulkanInstance::get().devices(options.feature_mask, reason);
    for (const VulkanTraits& traits : found) list.devices.push_back(traits.info);
    if (found.empty()) list.absent.push_back({Backend::Vulkan, reason});
  } catch (const Error& e) {
    list.absent.push_back({Backend::Vulkan, e.what()});
  }
}

std::unique_ptr<Device> open_vulkan(std::size_t index, const DeviceOptions& options) {
  std::string reason;
  auto found = VulkanInstance::get().devices(options.feature_mask, reason);
  if (index >= found.size()) {
    throw UnsupportedError("no_device", "there is no vulkan:" + std::to_string(index));
  }
  return std::make_unique<VulkanDevice>(std::move(found[index]));
}

}  // namespace rotor
