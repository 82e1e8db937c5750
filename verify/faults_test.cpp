// A device that fails marks the case at hand, and the next one runs.

#include "verify/faults.h"

#include <gtest/gtest.h>

#include <new>

#include "core/error.h"
#include "runtime/devices.h"
#include "verify/verify.h"

namespace rotor {
namespace {

// The CPU, failing where it is told to.
class FailingDevice final : public Device {
 public:
  std::function<void()> on_allocate = [] {};
  std::function<void()> on_prepare = [] {};
  std::function<void()> on_finish = [] {};

  const DeviceInfo& info() const override { return cpu_->info(); }
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    on_allocate();
    return cpu_->allocate(bytes);
  }
  void write(View to, std::span<const std::byte> data) override { cpu_->write(to, data); }
  void read(View from, std::span<std::byte> data) override { cpu_->read(from, data); }
  std::unique_ptr<Kernel> prepare(const KernelVariant& variant) override {
    on_prepare();
    return cpu_->prepare(variant);
  }
  void dispatch(const Kernel& kernel, std::span<const View> views,
                std::span<const std::byte> params) override {
    cpu_->dispatch(kernel, views, params);
  }
  Timing finish() override {
    on_finish();
    return cpu_->finish();
  }
  std::unique_ptr<Sequence> record(const std::function<void()>& body) override {
    return cpu_->record(body);
  }
  Timing replay(Sequence& sequence) override { return cpu_->replay(sequence); }

 private:
  std::unique_ptr<Device> cpu_ = open_cpu({.threads = 1});
};

std::function<void()> throws(DeviceFault fault) {
  return [fault] { throw DeviceError("vkSomething failed", fault); };
}

TEST(Faults, EndOneCaseWithItsReason) {
  struct Row {
    std::function<void()> FailingDevice::*where;
    std::function<void()> what;
    Status status;
    const char* reason;
  };
  const Row rows[] = {
      {&FailingDevice::on_finish, throws(DeviceFault::Lost), Status::DeviceLost, "device_lost"},
      {&FailingDevice::on_allocate, throws(DeviceFault::Memory), Status::OutOfMemory,
       "out_of_memory"},
      {&FailingDevice::on_allocate, [] { throw std::bad_alloc(); }, Status::OutOfMemory,
       "out_of_memory"},
      {&FailingDevice::on_prepare, throws(DeviceFault::Compile), Status::Error, "compile_failed"},
      {&FailingDevice::on_finish, throws(DeviceFault::Call), Status::Error, "device_error"},
      {&FailingDevice::on_prepare, [] { throw UnsupportedError("no_half", "lacks it"); },
       Status::Unsupported, "no_half"},
  };
  const KernelVariant& variant = *find_variant("cpu/embed_f32_portable");
  for (const Row& row : rows) {
    FailingDevice device;
    device.*row.where = row.what;
    Verdict verdict;
    const auto check = [&] { verdict = check_battery(device, variant, 1); };
    const std::optional<Fault> fault = run_guarded(check);
    ASSERT_TRUE(fault.has_value()) << row.reason;
    EXPECT_EQ(fault->status, row.status) << row.reason;
    EXPECT_EQ(fault->reason_code, row.reason);
    EXPECT_FALSE(fault->message.empty()) << row.reason;
    device.*row.where = [] {};
    EXPECT_FALSE(run_guarded(check).has_value()) << row.reason;
    EXPECT_TRUE(verdict.passed()) << row.reason;
  }
}

TEST(Faults, LetOtherErrorsPass) {
  EXPECT_THROW(run_guarded([] { throw UsageError("a view is too small"); }), UsageError);
}

}  // namespace
}  // namespace rotor
