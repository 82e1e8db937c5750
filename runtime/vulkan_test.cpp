// The Vulkan device itself; its kernels are tested by verify/vulkan_battery_test.cpp.

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/random.h"
#include "runtime/vulkan_cache_file.h"
#include "runtime/vulkan_commands.h"
#include "runtime/vulkan_device.h"
#include "runtime/vulkan_launch.h"

namespace rotor {
namespace {

// A device of this machine, the first; none is no failure.
std::unique_ptr<Device> open_first() {
  DeviceList list;
  list_vulkan({}, list);
  return list.devices.empty() ? nullptr : open_vulkan(0, {});
}

#define ROTOR_NEED_DEVICE(device)   \
  const auto device = open_first(); \
  if (device == nullptr) GTEST_SKIP() << "vulkan device: none on this machine"

TEST(VulkanHazards, OnlyOverlapsWithAWriteConflict) {
  const int a = 0;
  const int b = 0;
  struct Row {
    MemoryAccess earlier, later;
    bool conflict;
  };
  const Row rows[] = {
      {{&a, 0, 64, true}, {&a, 0, 64, false}, true},     // read after write
      {{&a, 0, 64, false}, {&a, 0, 64, true}, true},     // write after read
      {{&a, 0, 64, true}, {&a, 32, 64, true}, true},     // write after write, partly
      {{&a, 0, 64, false}, {&a, 0, 64, false}, false},   // two readers
      {{&a, 0, 64, true}, {&a, 64, 64, true}, false},    // neighbours
      {{&a, 64, 64, true}, {&a, 0, 64, false}, false},   // neighbours, the other way round
      {{&a, 0, 64, true}, {&b, 0, 64, true}, false},     // different memory
      {{&a, 0, 1024, true}, {&a, 512, 4, false}, true},  // a part of it
  };
  for (const Row& row : rows) {
    Hazards hazards;
    hazards.add({&row.earlier, 1});
    EXPECT_EQ(hazards.conflict({&row.later, 1}), row.conflict) << &row - rows;
    hazards.clear();
    EXPECT_FALSE(hazards.conflict({&row.later, 1}));
  }
}

TEST(VulkanDevices, OpenAgainAndAgain) {
  for (int i = 0; i < 40;
       ++i) {  // a driver that was loaded anew each time gave up before the twentieth
    ROTOR_NEED_DEVICE(device);
    EXPECT_EQ(device->info().id, "vulkan:0") << i;
  }
}

TEST(VulkanLaunch, FoldsGroupsThatExceedTheLimit) {
  const KernelVariant* head = find_variant("vulkan/head_f16@16x1");
  ASSERT_NE(head, nullptr);
  const HeadParams params{.m = 2, .n = 128256, .k = 2560, .out_stride = 128256};
  const auto one = launch_groups(*head, as_bytes(params), {.max_groups_x = 65535});
  EXPECT_EQ(one, (std::array<std::uint32_t, 3>{8016, 2, 1}));
  const auto folded = launch_groups(*head, as_bytes(params), {.max_groups_x = 1000});
  EXPECT_EQ(folded[2], 9u);
  EXPECT_LE(folded[0], 1000u);
  EXPECT_GE(folded[0] * folded[2], 8016u);
}

// 128 is guaranteed. Not every device's limit is a power of two, which reductions need.
TEST(VulkanLaunch, StaysWithinTheLargestWorkGroup) {
  for (const std::uint32_t most : {128u, 192u, 256u, 384u, 512u, 768u, 1024u}) {
    for (const KernelVariant& row : variants()) {
      if (row.backend != Backend::Vulkan) continue;
      const LaunchShape shape = launch_shape(row, {.max_invocations = most, .subgroup_size = 32});
      EXPECT_TRUE(std::has_single_bit(shape.invocations)) << row.name << " of " << most;
      EXPECT_LE(shape.lanes, shape.invocations) << row.name << " of " << most;
      EXPECT_LE(shape.invocations, most) << row.name;
    }
  }
}

class CacheFile : public testing::Test {
 protected:
  void SetUp() override {
    device_.vendorID = 0x10de;
    device_.deviceID = 0x2335;
    device_.pipelineCacheUUID[3] = 7;
    VkPipelineCacheHeaderVersionOne header{.headerSize = 32,
                                           .headerVersion = VK_PIPELINE_CACHE_HEADER_VERSION_ONE,
                                           .vendorID = device_.vendorID,
                                           .deviceID = device_.deviceID};
    std::memcpy(header.pipelineCacheUUID, device_.pipelineCacheUUID, VK_UUID_SIZE);
    data_.resize(100, std::byte{0x5A});
    std::memcpy(data_.data(), &header, sizeof header);
    // A folder of this process: tests may run side by side.
    const std::string folder = "rotor_cache_test_" + std::to_string(getpid());
    path_ = (std::filesystem::temp_directory_path() / folder / "x.cache").string();
    ASSERT_TRUE(write_pipeline_cache(path_, data_));
  }
  void TearDown() override {
    std::filesystem::remove_all(std::filesystem::path(path_).parent_path());
  }

  VkPhysicalDeviceProperties device_{};
  std::vector<std::byte> data_;
  std::string path_;
};

TEST_F(CacheFile, ComesBack) {
  EXPECT_EQ(read_pipeline_cache(path_, device_), data_);
}

TEST_F(CacheFile, AnyChangedByteOrLengthIsRefused) {
  std::ifstream in(path_, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  for (std::size_t i = 0; i <= good.size(); ++i) {
    std::string bad = good;
    if (i == good.size()) {
      bad.pop_back();
    } else {
      bad[i] = static_cast<char>(bad[i] ^ 1);
    }
    std::ofstream(path_, std::ios::binary) << bad;
    EXPECT_TRUE(read_pipeline_cache(path_, device_).empty()) << "byte " << i;
  }
}

TEST_F(CacheFile, OfAnotherDriverIsRefused) {
  device_.pipelineCacheUUID[0] ^= 1;
  EXPECT_TRUE(read_pipeline_cache(path_, device_).empty());
}

TEST(VulkanDevice, KeepsWhatWasWritten) {
  ROTOR_NEED_DEVICE(device);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{300}, std::size_t{20} << 20}) {
    Random random(bytes);
    std::vector<std::byte> in(bytes);
    for (std::byte& b : in) b = static_cast<std::byte>(random.bits());
    const auto first = device->allocate(bytes);
    const auto second = device->allocate(bytes);
    const std::vector<std::byte> zeros(bytes);
    device->write(*first, in);
    device->write(*second, zeros);
    std::vector<std::byte> out(bytes, std::byte{1});
    device->read(*first, out);
    EXPECT_EQ(in, out);
    device->read(*second, out);
    EXPECT_EQ(zeros, out);
    EXPECT_THROW(device->write(View(*first, 0, bytes / 2), in), UsageError);
  }
}

TEST(VulkanDevice, RefusesMoreMemoryThanThereIs) {
  ROTOR_NEED_DEVICE(device);
  EXPECT_THROW(device->allocate(std::size_t{1} << 50), DeviceError);
  EXPECT_NE(device->allocate(64), nullptr);  // and goes on
}

TEST(VulkanDevice, RefusesKernelsOfOthersAndMissingFeatures) {
  ROTOR_NEED_DEVICE(device);
  EXPECT_THROW(device->prepare(*find_variant("cpu/embed_f32_portable")), UnsupportedError);
  const auto plain = open_vulkan(0, {.feature_mask = feature::Baseline});
  EXPECT_EQ(plain->info().features, feature::Baseline);
  EXPECT_THROW(plain->prepare(*find_variant("vulkan/matmul_bitpacked_subgroup@16x1")),
               UnsupportedError);
}

TEST(VulkanDevice, ReplaysWithWhatTheBuffersHoldThen) {
  ROTOR_NEED_DEVICE(device);
  const EmbedParams params{.m = 1, .k = 4, .first = 0, .vocab = 3};
  const float table[] = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23};
  const auto rows = device->allocate(sizeof table);
  const auto step = device->allocate(12);
  const auto out = device->allocate(16);
  device->write(*rows, std::as_bytes(std::span(table)));
  const auto kernel = device->prepare(*find_variant("vulkan/embed_f32@1x1"));
  const auto sequence = device->record([&] {
    const View views[] = {*rows, *step, *out};
    device->dispatch(*kernel, views, as_bytes(params));
  });
  for (const std::uint32_t id : {2u, 0u, 1u}) {
    const std::uint32_t words[] = {0, 1, id};
    device->write(*step, std::as_bytes(std::span(words)));
    const Timing timing = device->replay(*sequence);
    EXPECT_GT(timing.host_seconds, 0);
    float got[4];
    device->read(*out, std::as_writable_bytes(std::span(got)));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(got[i], table[4 * id + i]);
  }
}

TEST(VulkanDevice, ThatIsNotThereIsNamed) {
  EXPECT_THROW(open_vulkan(99, {}), UnsupportedError);
  EXPECT_THROW(open_device("vulkan:99", {}), UnsupportedError);
}

}  // namespace
}  // namespace rotor
