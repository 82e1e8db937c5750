// What the OpenCL device does when the driver fails. The calls below take the place of the loader's
// own (cmake/tests.cmake): they fail where a test says so, and pass on everything else.

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>

#include "core/error.h"
#include "runtime/load_opencl.h"

namespace {

// What the calls return; CL_SUCCESS: what the driver says.
struct Injected {
  cl_int finish = CL_SUCCESS;
  cl_int create_buffer = CL_SUCCESS;
  cl_int build_program = CL_SUCCESS;
} injected;

template <typename Call>
Call* real(const char* name) {
  static void* const library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Call*>(dlsym(library, name));
}

}  // namespace

extern "C" {

cl_int CL_API_CALL clFinish(cl_command_queue queue) {
  const cl_int result = real<decltype(clFinish)>("clFinish")(queue);
  return injected.finish != CL_SUCCESS ? injected.finish : result;
}

cl_mem CL_API_CALL clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void* host,
                                  cl_int* result) {
  if (injected.create_buffer == CL_SUCCESS) {
    return real<decltype(clCreateBuffer)>("clCreateBuffer")(context, flags, size, host, result);
  }
  *result = injected.create_buffer;
  return nullptr;
}

cl_int CL_API_CALL clBuildProgram(cl_program program, cl_uint count, const cl_device_id* devices,
                                  const char* options, void(CL_CALLBACK* notify)(cl_program, void*),
                                  void* data) {
  if (injected.build_program != CL_SUCCESS) return injected.build_program;
  return real<decltype(clBuildProgram)>("clBuildProgram")(program, count, devices, options, notify,
                                                          data);
}

}  // extern "C"

namespace rotor {
namespace {

template <typename Work>
std::optional<DeviceFault> fault_of(const Work& work) {
  try {
    work();
  } catch (const DeviceError& error) {
    return error.fault();
  }
  return std::nullopt;
}

class OpenClFaults : public testing::Test {
 protected:
  void SetUp() override {
    DeviceList list;
    list_opencl({}, list);
    if (list.devices.empty()) GTEST_SKIP() << "opencl: " << list.absent.front().reason;
    open();
  }
  void TearDown() override { injected = {}; }

  void open() {
    device_ = open_opencl(0, {});
    kernel_ = device_->prepare(*find_variant("opencl/embed_f32@1x1"));
    table_ = device_->allocate(sizeof kRow);
    step_ = device_->allocate(3 * sizeof(std::uint32_t));
    out_ = device_->allocate(sizeof kRow);
    const std::array<std::uint32_t, 3> step = {0, 1, 0};
    device_->write(*table_, std::as_bytes(std::span(kRow)));
    device_->write(*step_, std::as_bytes(std::span(step)));
  }

  // Copies row 0 of a table of one row.
  std::array<float, 4> run() {
    const EmbedParams params{.m = 1, .k = 4, .first = 0, .vocab = 1};
    const View views[] = {*table_, *step_, *out_};
    device_->dispatch(*kernel_, views, as_bytes(params));
    device_->finish();
    std::array<float, 4> values{};
    device_->read(*out_, std::as_writable_bytes(std::span(values)));
    return values;
  }

  static constexpr std::array<float, 4> kRow = {1, 2, 3, 4};
  std::unique_ptr<Device> device_;
  std::unique_ptr<Kernel> kernel_;
  std::unique_ptr<Buffer> table_, step_, out_;
};

TEST_F(OpenClFaults, ALostDeviceIsClosedAndOpenedAnew) {
  for (const cl_int code : {CL_OUT_OF_RESOURCES, CL_INVALID_COMMAND_QUEUE, -9999}) {
    injected.finish = code;
    EXPECT_EQ(fault_of([&] { run(); }), DeviceFault::Lost) << code;
    for (auto* buffer : {&table_, &step_, &out_}) buffer->reset();
    kernel_.reset();
    device_.reset();
    injected = {};
    open();
    EXPECT_EQ(run(), kRow) << code;
  }
}

TEST_F(OpenClFaults, MemoryThatIsNotThereIsNoLoss) {
  for (const cl_int code :
       {CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY}) {
    injected.create_buffer = code;
    EXPECT_EQ(fault_of([&] { device_->allocate(12345); }), DeviceFault::Memory) << code;
  }
  injected = {};
  EXPECT_EQ(fault_of([&] { device_->allocate(device_->info().max_view_bytes + 1); }),
            DeviceFault::Memory);
  EXPECT_EQ(run(), kRow);
}

TEST_F(OpenClFaults, AKernelThatDoesNotCompileStopsNoOther) {
  injected.build_program = CL_BUILD_PROGRAM_FAILURE;
  EXPECT_EQ(fault_of([&] { device_->prepare(*find_variant("opencl/add_norm@1x1")); }),
            DeviceFault::Compile);
  injected = {};
  KernelVariant broken = *find_variant("opencl/add_norm@1x1");
  broken.text = [] { return std::string_view("__kernel void add_norm() { undeclared = 1; }"); };
  EXPECT_EQ(fault_of([&] { device_->prepare(broken); }), DeviceFault::Compile);
  EXPECT_EQ(run(), kRow);
}

}  // namespace
}  // namespace rotor
