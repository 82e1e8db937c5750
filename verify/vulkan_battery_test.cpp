// Every Vulkan row through the full battery, on every Vulkan device here: on real GPUs by hand, on
// software drivers everywhere. ROTOR_VK_VALIDATION=1 adds the validation layers, which must be
// silent.

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/error.h"
#include "runtime/choose.h"
#include "runtime/meeting.h"
#include "runtime/vulkan_device.h"
#include "verify/verify.h"

namespace rotor {
namespace {

std::vector<const KernelVariant*> vulkan_rows() {
  std::vector<const KernelVariant*> rows;
  for (const KernelVariant& row : variants()) {
    if (row.backend == Backend::Vulkan) rows.push_back(&row);
  }
  return rows;
}

std::string row_name(const testing::TestParamInfo<const KernelVariant*>& info) {
  std::string name(info.param->name);
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

// Complaints that came when devices were closed, after the last test.
class Silence : public testing::Environment {
 public:
  void TearDown() override {
    for (const std::string& complaint : vulkan_complaints()) ADD_FAILURE() << complaint;
  }
};
[[maybe_unused]] const auto* const kSilence =
    testing::AddGlobalTestEnvironment(new Silence);  // owned by googletest

class VulkanRow : public testing::TestWithParam<const KernelVariant*> {};

TEST_P(VulkanRow, PassesTheBattery) {
  DeviceList list;
  list_vulkan({}, list);
  if (list.devices.empty()) GTEST_SKIP() << "vulkan rows: " << list.absent.front().reason;
  const KernelVariant& row = *GetParam();
  bool ran = false;
  for (std::size_t i = 0; i < list.devices.size(); ++i) {
    const DeviceInfo& info = list.devices[i];
    const Support support = supports(info, row, row.batch == Batch::Many ? 2 : 1);
    if (!support) continue;
    SCOPED_TRACE(info.name);
    const std::unique_ptr<Device> device = open_vulkan(i, {});
    for (const Tile& tile : tiles_of(row)) {
      SCOPED_TRACE(tile_text(tile));
      KernelVariant tiled = row;
      tiled.tile = tile;
      try {
        const Verdict verdict = check_battery(*device, tiled, 1);
        EXPECT_TRUE(verdict.passed()) << verdict.reason_code << ": " << verdict.message;
        ran = true;
      } catch (const UnsupportedError& e) {
        std::printf("%s: unsupported: %s\n", info.id.c_str(), e.what());
      }
    }
  }
  if (!ran) GTEST_SKIP() << row.name << ": no device here has what it needs";
}

INSTANTIATE_TEST_SUITE_P(All, VulkanRow, testing::ValuesIn(vulkan_rows()), row_name);

// All layers of a small model, and their products, as they are timed: copies of the weights in turns, many launches a submission.
TEST(VulkanLayers, PassATrial) {
  DeviceList list;
  list_vulkan({}, list);
  bool ran = false;
  for (std::size_t i = 0; i < list.devices.size(); ++i) {
    const std::unique_ptr<Device> device = open_vulkan(i, {});
    ReferenceCache references;
    for (const KernelVariant* row : vulkan_rows()) {
      if (!has_meetings(row->op) || !supports(device->info(), *row, 1)) continue;
      Case spec{.m = 1, .n = 256, .k = 256, .seed = 3};
      spec.op = contract(row->op).name;
      spec.layers = LayersShape{4, 320, 4, 2, 64, 70};
      try {
        const std::unique_ptr<Trial> trial = make_trial(*device, *row, spec, 3, references);
        Verdict verdict = trial->check();
        for (std::uint64_t launch = 0; launch < 7; ++launch) trial->dispatch(launch);
        trial->check_timed(verdict);
        EXPECT_TRUE(verdict.passed()) << row->name << ": " << verdict.message;
        EXPECT_TRUE(verdict.timed_output_verified) << row->name;
        ran = true;
      } catch (const UnsupportedError& e) {
        std::printf("%s: unsupported: %s\n", list.devices[i].id.c_str(), e.what());
      }
    }
  }
  if (!ran) GTEST_SKIP() << "no Vulkan device here runs all layers at once";
}

}  // namespace
}  // namespace rotor
