// Every OpenCL row through the full battery, on every OpenCL device here: on real GPUs by hand, on
// software drivers everywhere. OCL_ICD_VENDORS chooses the drivers. ROTOR_LAUNCHES=N runs the N
// launches of each row with the smallest buffers: interpreters need minutes for what drivers do at once.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "runtime/choose.h"
#include "runtime/load_opencl.h"
#include "verify/cases.h"
#include "verify/verdicts.h"

namespace rotor {
namespace {

std::vector<const KernelVariant*> opencl_rows() {
  std::vector<const KernelVariant*> rows;
  for (const KernelVariant& row : variants()) {
    if (row.backend == Backend::OpenCL) rows.push_back(&row);
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

std::size_t bytes_of(const KernelVariant& row, const Launch& launch) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < contract(row.op).buffers.size(); ++i) {
    bytes += buffer_bytes(row.op, i, launch.params, row.packing);
  }
  return bytes;
}

// The `count` launches of the row's battery with the smallest buffers, and others of that size.
std::vector<Launch> smallest_launches(const KernelVariant& row, std::size_t count) {
  std::vector<Launch> all = battery(row, 1);
  if (all.size() <= count) return all;
  std::vector<std::size_t> sizes;
  for (const Launch& launch : all) sizes.push_back(bytes_of(row, launch));
  std::sort(sizes.begin(), sizes.end());
  std::vector<Launch> kept;
  std::vector<std::optional<std::size_t>> now(all.size());  // where launch i is among those kept
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (bytes_of(row, all[i]) > sizes[count - 1]) continue;
    now[i] = kept.size();
    kept.push_back(std::move(all[i]));
    std::optional<RowOf>& row_of = kept.back().row_of;
    if (!row_of) continue;
    const std::optional<std::size_t> batch = now[row_of->launch];
    if (batch) {
      row_of->launch = *batch;
    } else {
      row_of.reset();
    }
  }
  return kept;
}

std::size_t launch_count() {
  const char* count = std::getenv("ROTOR_LAUNCHES");
  return count != nullptr ? std::stoul(count) : std::numeric_limits<std::size_t>::max();
}

class OpenClRow : public testing::TestWithParam<const KernelVariant*> {};

TEST_P(OpenClRow, PassesTheBattery) {
  DeviceList list;
  list_opencl({}, list);
  if (list.devices.empty()) GTEST_SKIP() << "opencl rows: " << list.absent.front().reason;
  const KernelVariant& row = *GetParam();
  const std::vector<Launch> launches = smallest_launches(row, launch_count());
  ASSERT_FALSE(launches.empty());
  bool ran = false;
  for (std::size_t i = 0; i < list.devices.size(); ++i) {
    const DeviceInfo& info = list.devices[i];
    if (!supports(info, row, row.batch == Batch::Many ? 2 : 1)) continue;
    SCOPED_TRACE(info.name);
    std::printf("%zu launches on %s\n", launches.size(), info.name.c_str());
    const std::unique_ptr<Device> device = open_opencl(i, {});
    for (const Tile& tile : tiles_of(row)) {
      SCOPED_TRACE(tile_text(tile));
      KernelVariant tiled = row;
      tiled.tile = tile;
      try {
        const Verdict verdict = check_launches(*device, tiled, launches);
        EXPECT_TRUE(verdict.passed()) << verdict.reason_code << ": " << verdict.message;
        ran = true;
      } catch (const UnsupportedError& e) {
        std::printf("%s: unsupported: %s\n", info.id.c_str(), e.what());
      }
    }
  }
  if (!ran) GTEST_SKIP() << row.name << ": no device here has what it needs";
}

INSTANTIATE_TEST_SUITE_P(All, OpenClRow, testing::ValuesIn(opencl_rows()), row_name);

}  // namespace
}  // namespace rotor
