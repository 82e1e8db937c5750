// What the OpenCL device does beside running kernels, on whatever OpenCL device is here.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "core/error.h"
#include "runtime/load_opencl.h"

namespace rotor {
namespace {

class OpenClDevice : public testing::Test {
 protected:
  void SetUp() override {
    list_opencl({}, list_);
    if (list_.devices.empty()) GTEST_SKIP() << "opencl: " << list_.absent.front().reason;
    device_ = open_opencl(0, {});
  }

  std::unique_ptr<Buffer> upload(std::span<const float> values) {
    auto buffer = device_->allocate(values.size_bytes());
    device_->write(*buffer, std::as_bytes(values));
    return buffer;
  }

  DeviceList list_;
  std::unique_ptr<Device> device_;
};

// x += delta, some times over: every run is seen in x.
class OpenClQueue : public OpenClDevice {
 protected:
  static constexpr std::uint32_t kWidth = kViewAlignment / sizeof(float);

  void SetUp() override {
    OpenClDevice::SetUp();
    if (device_ == nullptr) return;
    kernel_ = device_->prepare(*find_variant("opencl/add_norm@1x1"));
    std::vector<float> deltas(kWidth, 1.0f);
    deltas.resize(2 * kWidth, 10.0f);
    deltas_ = upload(deltas);
    x_ = upload(std::vector<float>(kWidth));
    gain_ = upload(std::vector<float>(kWidth, 1.0f));
    out_ = upload(std::vector<float>(kWidth));
  }

  // Which delta: 0 adds 1, 1 adds 10.
  void add(std::size_t which) {
    const NormParams params{.m = 1, .k = kWidth, .stride = 0, .epsilon = 1e-5f};
    const View views[] = {*x_, {*deltas_, which * kViewAlignment, kViewAlignment}, *gain_, *out_};
    device_->dispatch(*kernel_, views, as_bytes(params));
  }

  float x() {
    std::array<float, kWidth> values{};
    device_->read(*x_, std::as_writable_bytes(std::span(values)));
    EXPECT_EQ(values.front(), values.back());
    return values.front();
  }

  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Buffer> deltas_, x_, gain_, out_;
};

TEST_F(OpenClQueue, RunsDispatchesInOrderAndTellsTheTime) {
  add(0);
  add(1);
  const Timing timing = device_->finish();
  EXPECT_EQ(x(), 11);
  EXPECT_GT(timing.host_seconds, 0);
  ASSERT_TRUE(timing.device_seconds.has_value());
  EXPECT_GT(*timing.device_seconds, 0);
  EXPECT_EQ(device_->finish().host_seconds, 0) << "nothing was dispatched since";
}

TEST_F(OpenClQueue, KeepsTheArgumentsOfWhatIsRecorded) {
  const std::unique_ptr<Sequence> sequence = device_->record([&] {
    add(0);
    add(1);
    add(1);
  });
  EXPECT_EQ(x(), 0) << "recording runs nothing";
  EXPECT_GT(device_->replay(*sequence).host_seconds, 0);
  EXPECT_EQ(x(), 21);
  add(0);
  device_->replay(*sequence);
  EXPECT_EQ(x(), 43);
}

TEST_F(OpenClQueue, StopsRecordingWhenTheBodyThrows) {
  EXPECT_THROW(device_->record([] { throw UsageError("no"); }), UsageError);
  add(0);
  EXPECT_EQ(x(), 1);
}

TEST_F(OpenClDevice, ViewsOfAReusedBufferAreItsOwn) {
  const std::vector<float> before(1000, 1.0f);
  const std::vector<float> after(1000, 2.0f);
  upload(before);  // given back at once
  const auto again = upload(after);
  std::vector<float> values(500);
  device_->read(View(*again, 2000, 2000), std::as_writable_bytes(std::span(values)));
  EXPECT_EQ(values, std::vector<float>(500, 2.0f));
}

// As the rows of a cache are, whose layers share a buffer: a driver that crashes then did so for one order in
// five.
TEST_F(OpenClQueue, ReleasesManyPartsOfABufferInAnyOrder) {
  constexpr std::size_t kParts = 60;
  std::vector<float> deltas(kParts * kWidth);
  for (std::size_t i = 0; i < deltas.size(); ++i) deltas[i] = static_cast<float>(i / kWidth);
  std::mt19937 random(1);
  for (int round = 1; round <= 24; ++round) {
    deltas_ = upload(deltas);
    std::vector<std::unique_ptr<Sequence>> sequences;
    for (std::size_t i = 0; i < kParts; ++i) {
      sequences.push_back(device_->record([&] { add(i); }));
      device_->replay(*sequences.back());
    }
    EXPECT_EQ(x(), round * kParts * (kParts - 1) / 2);
    deltas_.reset();
    std::ranges::shuffle(sequences, random);
    for (auto& sequence : sequences) sequence.reset();
  }
}

TEST_F(OpenClDevice, RefusesCopiesThatLeaveTheirView) {
  const auto buffer = device_->allocate(64);
  std::vector<std::byte> bytes(65);
  EXPECT_THROW(device_->write(*buffer, bytes), UsageError);
  EXPECT_THROW(device_->read(*buffer, bytes), UsageError);
}

TEST_F(OpenClDevice, NamesTheLimitThatAnAllocationBreaks) {
  try {
    device_->allocate(device_->info().max_view_bytes + 1);
    FAIL() << "allocated more than the device can";
  } catch (const DeviceError& error) {
    EXPECT_NE(std::string(error.what()).find("CL_DEVICE_MAX_MEM_ALLOC_SIZE"), std::string::npos);
  }
}

TEST_F(OpenClDevice, ShowsWhatTheCompilerSays) {
  KernelVariant broken = *find_variant("opencl/add_norm@1x1");
  broken.name = "opencl/broken@1x1";
  broken.text = [] { return std::string_view("__kernel void add_norm() { undeclared = 1; }"); };
  try {
    device_->prepare(broken);
    FAIL() << "compiled";
  } catch (const DeviceError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("clBuildProgram of opencl/broken@1x1"), std::string::npos) << what;
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
  }
}

TEST_F(OpenClDevice, HasNoFeatureThatIsMasked) {
  const auto masked = open_opencl(0, {.threads = 0, .feature_mask = feature::Baseline});
  for (const KernelVariant& row : variants()) {
    if (row.backend != Backend::OpenCL || row.needs == feature::Baseline) continue;
    EXPECT_THROW(masked->prepare(row), UnsupportedError) << row.name;
  }
  EXPECT_THROW(device_->prepare(*find_variant("cpu/add_norm_portable")), UnsupportedError);
}

TEST_F(OpenClDevice, ListsRealDevicesBeforeSoftware) {
  bool software = false;
  for (std::size_t i = 0; i < list_.devices.size(); ++i) {
    const DeviceInfo& info = list_.devices[i];
    EXPECT_EQ(info.id, "opencl:" + std::to_string(i));
    EXPECT_TRUE(info.kind == "software" || !software) << info.name;
    software |= info.kind == "software";
  }
  EXPECT_THROW(open_opencl(list_.devices.size(), {}), UnsupportedError);
  EXPECT_EQ(open_device("opencl", {})->info().id, "opencl:0");
}

}  // namespace
}  // namespace rotor
