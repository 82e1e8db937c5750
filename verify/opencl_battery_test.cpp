// Every OpenCL row through the full battery, on every OpenCL device here: on real GPUs by hand, on
// software drivers everywhere. OCL_ICD_VENDORS chooses the drivers.

#include <gtest/gtest.h>

#include "core/error.h"
#include "runtime/choose.h"
#include "runtime/load_opencl.h"
#include "verify/verify.h"

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

class OpenClRow : public testing::TestWithParam<const KernelVariant*> {};

TEST_P(OpenClRow, PassesTheBattery) {
  DeviceList list;
  list_opencl({}, list);
  if (list.devices.empty()) GTEST_SKIP() << "opencl rows: " << list.absent.front().reason;
  const KernelVariant& row = *GetParam();
  bool ran = false;
  for (std::size_t i = 0; i < list.devices.size(); ++i) {
    const DeviceInfo& info = list.devices[i];
    if (!supports(info, row, row.batch == Batch::Many ? 2 : 1)) continue;
    SCOPED_TRACE(info.name);
    const std::unique_ptr<Device> device = open_opencl(i, {});
    const Verdict verdict = check_battery(*device, row, 1);
    EXPECT_TRUE(verdict.passed()) << verdict.reason_code << ": " << verdict.message;
    ran = true;
  }
  if (!ran) GTEST_SKIP() << row.name << ": no device here has what it needs";
}

INSTANTIATE_TEST_SUITE_P(All, OpenClRow, testing::ValuesIn(opencl_rows()), row_name);

}  // namespace
}  // namespace rotor
