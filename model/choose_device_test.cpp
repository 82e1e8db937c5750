// Which device is taken where nobody named one.

#include "model/choose_device.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "model/self_check.h"
#include "model/session.h"

namespace rotor {
namespace {

DeviceInfo device(const std::string& id, Backend backend, const std::string& kind) {
  DeviceInfo info;
  info.id = id;
  info.backend = backend;
  info.kind = kind;
  return info;
}

TEST(ChooseDevice, TriesDiscreteGpusFirstAndSoftwareNever) {
  DeviceList list;
  list.devices = {device("cpu:0", Backend::Cpu, "cpu"),
                  device("opencl:0", Backend::OpenCL, "discrete"),
                  device("opencl:1", Backend::OpenCL, "software"),
                  device("vulkan:0", Backend::Vulkan, "integrated"),
                  device("vulkan:1", Backend::Vulkan, "discrete"),
                  device("vulkan:2", Backend::Vulkan, "software")};
  std::vector<std::string> ids;
  for (const DeviceInfo& info : real_gpus(list)) ids.push_back(info.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"vulkan:1", "opencl:0", "vulkan:0"}));
}

TEST(ChooseDevice, TellsWhichAndWhy) {
  const DeviceChoice choice = choose_device({});
  const DeviceInfo& info = choice.device->info();
  EXPECT_NE(info.kind, "software");
  EXPECT_TRUE(choice.why.starts_with(info.id + " (" + info.name + "): ")) << choice.why;
  EXPECT_EQ(choice.why.find('\n'), std::string::npos);
  std::string told;
  Session session({.model = "synthetic:odd/1", .device = "auto", .tell = [&](const auto& line) {
                     told = line;
                   }});
  EXPECT_EQ(told, choice.why);
}

TEST(SelfCheck, BelievesTheCpu) {
  const auto cpu = open_cpu({});
  KernelSet kernels(*cpu);
  EXPECT_EQ(self_check(kernels), "");
}

// Kernels that do nothing, one at a time: whatever is broken shows.
TEST(SelfCheck, FindsEveryOpThatDoesNothing) {
  const auto cpu = open_cpu({.threads = 1});
  for (const Op op : {Op::Matmul, Op::Embed, Op::NormQuant, Op::AddNormQuant, Op::Relu2NormQuant,
                      Op::AddNorm, Op::Rope, Op::Attention, Op::Head}) {
    KernelSet kernels(*cpu);
    for (const KernelVariant& row : variants()) {
      if (row.op != op || !supports(cpu->info(), row, 1)) continue;
      KernelVariant idle = row;
      idle.cpu = [](const CpuCall&) noexcept {};
      kernels.replace(idle);
    }
    EXPECT_NE(self_check(kernels), "") << contract(op).name;
  }
}

}  // namespace
}  // namespace rotor
