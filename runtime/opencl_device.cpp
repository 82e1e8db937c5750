// OpenCL as a Device: one in-order queue; what is recorded keeps kernels whose arguments are set.

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/error.h"
#include "runtime/meeting.h"
#include "runtime/opencl_kernels.h"
#include "runtime/opencl_memory.h"
#include "runtime/opencl_module.h"
#include "runtime/opencl_traits.h"

namespace rotor::opencl {
namespace {

using Clock = std::chrono::steady_clock;

// One run of a kernel whose arguments are set.
struct Launch {
  cl::Kernel kernel;
  cl::NDRange global;
  cl::NDRange local;
  std::vector<std::shared_ptr<Memory>> bound;  // kept alive: a kernel does not own its arguments
};

class ClSequence final : public Sequence {
 public:
  std::vector<Launch> launches;
};

class ClDevice final : public Device {
 public:
  ClDevice(DeviceInfo info, Traits traits, cl::Context context, cl::CommandQueue queue)
      : info_(std::move(info)),
        traits_(std::move(traits)),
        context_(std::move(context)),
        queue_(std::move(queue)),
        pool_(context_, traits_) {}
  ~ClDevice() override { queue_.finish(); }

  const DeviceInfo& info() const override { return info_; }

  std::unique_ptr<Buffer> allocate(std::size_t bytes) override {
    return std::make_unique<ClBuffer>(pool_, bytes);
  }

  void write(View to, std::span<const std::byte> data) override {
    finish();
    copy_in(queue_, traits_, to, data);
  }

  void read(View from, std::span<std::byte> data) override {
    finish();
    copy_out(queue_, traits_, from, data);
  }

  std::unique_ptr<Kernel> prepare(const KernelVariant& variant) override {
    std::unique_ptr<ClKernel> kernel = build(context_, traits_, info_, variant);
    if (has_meetings(variant.op)) {
      kernel->set_meeting_groups(
          find_meeting_groups(*this, *kernel, traits_.multiprocessors,
                              [&](std::uint32_t groups) { kernel->set_meeting_groups(groups); }));
    }
    return kernel;
  }

  void dispatch(const Kernel& kernel, std::span<const View> views,
                std::span<const std::byte> params) override;
  Timing finish() override;
  std::unique_ptr<Sequence> record(const std::function<void()>& body) override;
  Timing replay(Sequence& sequence) override;

 private:
  void enqueue(const Launch& launch);
  void check_alignment(const View& view) const;

  DeviceInfo info_;
  Traits traits_;
  cl::Context context_;
  cl::CommandQueue queue_;
  MemoryPool pool_;
  std::vector<Launch>* recording_ = nullptr;  // where dispatches go instead of the queue
  // What was enqueued since the last finish.
  Clock::time_point start_;
  cl::Event first_;
  cl::Event last_;
};

void ClDevice::dispatch(const Kernel& kernel, std::span<const View> views,
                        std::span<const std::byte> params) {
  check_bindings(kernel.variant(), views, params);
  const auto& made = static_cast<const ClKernel&>(kernel);
  Groups groups = groups_of(kernel.variant(), params);
  if (made.meeting_groups() != 0) groups = {made.meeting_groups(), 1};
  if (groups.x == 0 || groups.y == 0) return;
  Launch launch{.kernel = recording_ != nullptr ? made.fresh() : made.shared(),
                .global = cl::NDRange(groups.x * made.group(), groups.y),
                .local = cl::NDRange(made.group(), 1),
                .bound = {}};
  cl_uint argument = 0;
  for (const View& view : views) {
    check_alignment(view);
    launch.bound.push_back(memory_of(view));
    check(launch.kernel.setArg(argument++, launch.bound.back()->part(view.offset, view.bytes)),
          "clSetKernelArg", DeviceFault::Memory);
  }
  check(launch.kernel.setArg(argument, params.size(), params.data()), "clSetKernelArg",
        DeviceFault::Memory);
  if (recording_ != nullptr) {
    recording_->push_back(std::move(launch));
  } else {
    enqueue(launch);
  }
}

void ClDevice::check_alignment(const View& view) const {
  if (view.offset % traits_.view_alignment == 0) return;
  throw UsageError("a view at offset " + std::to_string(view.offset) +
                   ": this device binds multiples of " + std::to_string(traits_.view_alignment));
}

void ClDevice::enqueue(const Launch& launch) {
  const bool is_first = first_() == nullptr;
  if (is_first) start_ = Clock::now();
  const cl_int result = queue_.enqueueNDRangeKernel(launch.kernel, cl::NullRange, launch.global,
                                                    launch.local, nullptr, &last_);
  // Too few registers for this kernel, or the end of the context: the queue knows.
  const bool alive = result != CL_OUT_OF_RESOURCES || queue_.finish() == CL_SUCCESS;
  check(result, "clEnqueueNDRangeKernel", alive ? DeviceFault::Call : DeviceFault::Lost);
  if (is_first) first_ = last_;
}

Timing ClDevice::finish() {
  if (first_() == nullptr) return {};
  const cl_int result = queue_.finish();
  const std::chrono::duration<double> elapsed = Clock::now() - start_;
  const cl::Event first = std::exchange(first_, {});
  const cl::Event last = std::exchange(last_, {});
  check(result, "clFinish");
  // Not every driver tells of a kernel that it had to end when the queue is waited for.
  const auto status = last.getInfo<CL_EVENT_COMMAND_EXECUTION_STATUS>();
  if (status < 0) check(status, "the last kernel");
  cl_ulong begin = 0;
  cl_ulong end = 0;
  check(first.getProfilingInfo(CL_PROFILING_COMMAND_START, &begin), "clGetEventProfilingInfo");
  check(last.getProfilingInfo(CL_PROFILING_COMMAND_END, &end), "clGetEventProfilingInfo");
  return {.host_seconds = elapsed.count(),
          .device_seconds = static_cast<double>(end - begin) * 1e-9};
}

std::unique_ptr<Sequence> ClDevice::record(const std::function<void()>& body) {
  auto sequence = std::make_unique<ClSequence>();
  recording_ = &sequence->launches;
  try {
    body();
  } catch (...) {
    recording_ = nullptr;
    throw;
  }
  recording_ = nullptr;
  return sequence;
}

Timing ClDevice::replay(Sequence& sequence) {
  finish();
  for (const Launch& launch : static_cast<ClSequence&>(sequence).launches) enqueue(launch);
  return finish();
}

void list(const DeviceOptions& options, DeviceList& list) {
  try {
    const std::vector<cl::Device> devices = find_devices();
    for (std::size_t i = 0; i < devices.size(); ++i) {
      list.devices.push_back(describe(devices[i], i));
      list.devices.back().features &= options.feature_mask;
    }
    if (devices.empty()) list.absent.push_back({Backend::OpenCL, "no OpenCL driver is installed"});
  } catch (const DeviceError& error) {
    list.absent.push_back({Backend::OpenCL, error.what()});
  }
}

std::unique_ptr<Device> open(std::size_t index, const DeviceOptions& options) {
  const std::vector<cl::Device> devices = find_devices();
  if (index >= devices.size()) {
    throw UnsupportedError("no_device", "no device opencl:" + std::to_string(index) + " here");
  }
  DeviceInfo info = describe(devices[index], index);
  info.features &= options.feature_mask;
  cl_int result = CL_SUCCESS;
  cl::Context context(devices[index], nullptr, nullptr, nullptr, &result);
  check(result, "clCreateContext", DeviceFault::Memory);
  cl::CommandQueue queue(context, devices[index], CL_QUEUE_PROFILING_ENABLE, &result);
  check(result, "clCreateCommandQueue", DeviceFault::Memory);
  return std::make_unique<ClDevice>(std::move(info), traits_of(devices[index]), std::move(context),
                                    std::move(queue));
}

}  // namespace
}  // namespace rotor::opencl

extern "C" {
extern const rotor::OpenClModule rotor_opencl_module;
const rotor::OpenClModule rotor_opencl_module = {&rotor::opencl::list, &rotor::opencl::open};
}
