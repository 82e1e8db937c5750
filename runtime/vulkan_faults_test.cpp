// What the Vulkan device does when the driver fails: calls of the driver are replaced by others.

#include <gtest/gtest.h>

#include <array>

#include "core/error.h"
#include "runtime/vulkan_api.h"
#include "runtime/vulkan_device.h"

namespace rotor {
namespace {

// Puts `fake` in place of one of volk's pointers, for as long as it lives.
template <typename Call>
class Replaced {
 public:
  Replaced(Call& call, Call fake) : call_(call), real_(call) { call = fake; }
  ~Replaced() { call_ = real_; }
  Replaced(const Replaced&) = delete;
  Replaced& operator=(const Replaced&) = delete;
  Call real() const { return real_; }

 private:
  Call& call_;
  Call real_;
};

template <typename Work>
std::optional<DeviceFault> fault_of(const Work& work) {
  try {
    work();
  } catch (const DeviceError& error) {
    return error.fault();
  }
  return std::nullopt;
}

class VulkanFaults : public testing::Test {
 protected:
  void SetUp() override {
    DeviceList list;
    list_vulkan({}, list);
    if (list.devices.empty()) GTEST_SKIP() << "vulkan device: none on this machine";
    device_ = open_vulkan(0, {});
    make();
  }

  // A kernel that copies row 0 of a table of one row.
  void make() {
    kernel_ = device_->prepare(*find_variant("vulkan/embed_f32@1x1"));
    table_ = device_->allocate(sizeof kRow);
    step_ = device_->allocate(3 * sizeof(std::uint32_t));
    out_ = device_->allocate(sizeof kRow);
    const std::array<std::uint32_t, 3> step = {0, 1, 0};
    device_->write(*table_, std::as_bytes(std::span(kRow)));
    device_->write(*step_, std::as_bytes(std::span(step)));
    device_->write(*out_, std::vector<std::byte>(sizeof kRow));
  }

  void dispatch() {
    const EmbedParams params{.m = 1, .k = 4, .first = 0, .vocab = 1};
    const View views[] = {*table_, *step_, *out_};
    device_->dispatch(*kernel_, views, as_bytes(params));
  }

  std::array<float, 4> result() {
    std::array<float, 4> values{};
    device_->read(*out_, std::as_writable_bytes(std::span(values)));
    return values;
  }

  void destroy() {
    for (auto* buffer : {&table_, &step_, &out_}) buffer->reset();
    kernel_.reset();
    device_.reset();
  }

  static constexpr std::array<float, 4> kRow = {1, 2, 3, 4};
  static constexpr std::array<float, 4> kZeros = {};
  std::unique_ptr<Device> device_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Buffer> table_, step_, out_;
};

TEST_F(VulkanFaults, ALostDeviceIsClosedAndOpenedAnew) {
  {
    const Replaced submit(
        vkQueueSubmit, +[](VkQueue, std::uint32_t, const VkSubmitInfo*, VkFence) -> VkResult {
          return VK_ERROR_DEVICE_LOST;
        });
    dispatch();
    EXPECT_EQ(fault_of([&] { device_->finish(); }), DeviceFault::Lost);
    dispatch();
    EXPECT_EQ(fault_of([&] { result(); }), DeviceFault::Lost) << "and stays lost";
    destroy();
  }
  device_ = open_vulkan(0, {});
  make();
  dispatch();
  EXPECT_EQ(result(), kRow);
}

// The real calls, for fakes that use them.
PFN_vkDeviceWaitIdle wait_idle = nullptr;
PFN_vkAllocateMemory allocate_memory = nullptr;
PFN_vkFreeMemory free_memory = nullptr;

TEST_F(VulkanFaults, ADeviceMayBeLostWhileItIsWaitedFor) {
  wait_idle = vkDeviceWaitIdle;
  const Replaced look(
      vkGetSemaphoreCounterValue, +[](VkDevice device, VkSemaphore, std::uint64_t*) -> VkResult {
        wait_idle(device);  // so that nothing is in flight when all is destroyed
        return VK_ERROR_DEVICE_LOST;
      });
  dispatch();
  EXPECT_EQ(fault_of([&] { device_->finish(); }), DeviceFault::Lost);
  destroy();
}

TEST_F(VulkanFaults, AShaderThatDoesNotCompileStopsNoOther) {
  {
    const Replaced create(
        vkCreateComputePipelines,
        +[](VkDevice, VkPipelineCache, std::uint32_t, const VkComputePipelineCreateInfo*,
            const VkAllocationCallbacks*, VkPipeline*) -> VkResult { return VK_ERROR_UNKNOWN; });
    try {
      device_->prepare(*find_variant("vulkan/add_norm@1x1"));
      FAIL() << "compiled";
    } catch (const DeviceError& error) {
      EXPECT_EQ(error.fault(), DeviceFault::Compile);
      EXPECT_STREQ(
          error.what(),
          "vkCreateComputePipelines of vulkan/add_norm@1x1 failed: VK_ERROR_UNKNOWN (-13)");
    }
  }
  dispatch();
  EXPECT_EQ(result(), kRow);
}

TEST_F(VulkanFaults, MemoryThatIsNotThereIsNoLoss) {
  EXPECT_EQ(fault_of([&] { device_->allocate(std::size_t{1} << 50); }), DeviceFault::Memory);
  dispatch();
  EXPECT_EQ(result(), kRow);
}

// A device of 128 MiB.
std::map<VkDeviceMemory, VkDeviceSize> held;
constexpr VkDeviceSize kRoom = VkDeviceSize{128} << 20;

VkResult allocate_little(VkDevice device, const VkMemoryAllocateInfo* info,
                         const VkAllocationCallbacks* callbacks, VkDeviceMemory* memory) {
  VkDeviceSize sum = info->allocationSize;
  for (const auto& [handle, bytes] : held) sum += bytes;
  if (sum > kRoom) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  const VkResult result = allocate_memory(device, info, callbacks, memory);
  if (result == VK_SUCCESS) held[*memory] = info->allocationSize;
  return result;
}

void free_counted(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks* callbacks) {
  held.erase(memory);
  free_memory(device, memory, callbacks);
}

TEST_F(VulkanFaults, MemoryThatNobodyUsesMakesRoom) {
  destroy();
  allocate_memory = vkAllocateMemory;
  free_memory = vkFreeMemory;
  const Replaced allocate(vkAllocateMemory, &allocate_little);
  const Replaced release(vkFreeMemory, &free_counted);
  device_ = open_vulkan(0, {});
  device_->allocate(std::size_t{60} << 20);  // given back at once, but kept in a block of 64 MiB
  EXPECT_FALSE(held.empty());
  EXPECT_NE(device_->allocate(std::size_t{100} << 20), nullptr);
  EXPECT_EQ(fault_of([&] { device_->allocate(std::size_t{200} << 20); }), DeviceFault::Memory);
  destroy();
  EXPECT_TRUE(held.empty());
}

TEST_F(VulkanFaults, DispatchesThatNobodyWaitedForDoNotRunLater) {
  EXPECT_THROW(device_->record([&] {
    dispatch();
    throw UsageError("no");
  }),
               UsageError);
  EXPECT_EQ(result(), kZeros);
  dispatch();
  kernel_.reset();
  EXPECT_EQ(result(), kZeros);
  kernel_ = device_->prepare(*find_variant("vulkan/embed_f32@1x1"));
  dispatch();
  step_.reset();
  EXPECT_EQ(result(), kZeros);
}

}  // namespace
}  // namespace rotor
