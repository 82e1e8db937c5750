// What drivers make of the shaders: no row may spill registers. Drivers that do not say are skipped, as
// lavapipe is; scripts/test_vulkan.sh asks Mesa's compiler for AMD, which needs no device.

#include <gtest/gtest.h>

#include <iostream>
#include <string_view>
#include <vector>

#include "kernels/variant.h"
#include "runtime/vulkan_instance.h"
#include "runtime/vulkan_launch.h"
#include "runtime/vulkan_pipelines.h"
#include "runtime/vulkan_traits.h"

namespace rotor {
namespace {

struct Statistic {
  std::string name;
  std::uint64_t value;
};

std::vector<Statistic> statistics_of(VkDevice device, VkPipeline pipeline) {
  const VkPipelineExecutableInfoKHR which{.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR,
                                          .pipeline = pipeline};
  std::uint32_t count = 0;
  EXPECT_EQ(vkGetPipelineExecutableStatisticsKHR(device, &which, &count, nullptr), VK_SUCCESS);
  std::vector<VkPipelineExecutableStatisticKHR> list(
      count, {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR});
  EXPECT_EQ(vkGetPipelineExecutableStatisticsKHR(device, &which, &count, list.data()), VK_SUCCESS);
  std::vector<Statistic> result;
  for (const auto& s : list) {
    if (s.format == VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR) {
      result.push_back({s.name, s.value.u64});
    }
  }
  return result;
}

bool says_spilled(std::string_view name) {
  // RADV: "Spilled SGPRs", "Spilled VGPRs", "Scratch size"; ANV: "Spill count"; NVIDIA: "Local Memory Size".
  for (const std::string_view part : {"pill", "Scratch", "Local Memory"}) {
    if (name.find(part) != std::string_view::npos) return true;
  }
  return false;
}

std::uint64_t registers_of(const std::vector<Statistic>& statistics) {
  for (const std::string_view name : {"VGPRs", "Register Count"}) {
    for (const Statistic& s : statistics) {
      if (s.name == name) return s.value;
    }
  }
  return 0;
}

// Of one row with one tile; false if it does not fit the device.
bool check_row(VkDevice device, VulkanPipelines& pipelines, const KernelVariant& row,
               const LaunchLimits& limits) {
  const LaunchShape shape = launch_shape(row, limits);
  if (shape.invocations > limits.max_invocations) return false;
  const VkPipeline pipeline =
      pipelines.create(row, shape, VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR);
  const auto statistics = statistics_of(device, pipeline);
  vkDestroyPipeline(device, pipeline, nullptr);
  std::cout << "  " << row.name << ", tile " << tile_text(row.tile) << ": "
            << registers_of(statistics) << " registers\n";
  EXPECT_GT(registers_of(statistics), 0u) << row.name;
  std::size_t counts = 0;
  for (const Statistic& s : statistics) {
    if (!says_spilled(s.name)) continue;
    ++counts;
    // NVIDIA's driver 580 leaves something else in the upper half.
    EXPECT_EQ(static_cast<std::uint32_t>(s.value), 0u)
        << row.name << ", tile " << tile_text(row.tile) << ": " << s.name;
  }
  EXPECT_GT(counts, 0u) << row.name << ": the driver does not count spills";
  return true;
}

TEST(VulkanRegisters, AreEnoughForEveryRowAndTile) {
  std::vector<VulkanTraits> devices;
  std::string reason;
  try {
    devices = VulkanInstance::get().devices(~Features{0}, reason);
  } catch (const UnsupportedError& e) {
    reason = e.what();
  }
  std::size_t checked = 0;
  for (const VulkanTraits& traits : devices) {
    if (!tells_what_it_compiled(traits)) {
      reason = traits.info.name + " does not say what it compiled";
      continue;
    }
    std::cout << traits.info.name << "\n";
    const VkDevice device = create_vulkan_device(traits, true);
    {
      VulkanPipelines pipelines(device, traits);
      for (const KernelVariant& row : variants()) {
        if (row.backend != Backend::Vulkan || (row.needs & ~traits.info.features) != 0) continue;
        for (const Tile& tile : tiles_of(row)) {
          KernelVariant tiled = row;
          tiled.tile = tile;
          checked += check_row(device, pipelines, tiled, launch_limits(traits));
        }
      }
    }
    vkDestroyDevice(device, nullptr);
  }
  if (checked == 0) GTEST_SKIP() << "vulkan registers: " << reason;
  std::cout << "  " << checked << " pipelines\n";
}

}  // namespace
}  // namespace rotor
