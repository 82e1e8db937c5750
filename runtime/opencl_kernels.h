// Variants made ready on an OpenCL device: compiled for it, with a work-group size that it takes.
#pragma once

#include "runtime/device.h"
#include "runtime/opencl_traits.h"

namespace rotor::opencl {

class ClKernel final : public Kernel {
 public:
  ClKernel(const KernelVariant& variant, cl::Program program, cl::Kernel kernel, std::size_t group)
      : Kernel(variant), program_(std::move(program)), kernel_(std::move(kernel)), group_(group) {}

  // The kernel whose arguments are set anew for each dispatch.
  const cl::Kernel& shared() const { return kernel_; }
  // A kernel of its own, for arguments that stay. Throws DeviceError.
  cl::Kernel fresh() const;
  std::size_t group() const { return group_; }  // work-items
  // Of kernels whose work-groups wait for each other (runtime/meeting.h): how many a launch has. 0: others.
  std::uint32_t meeting_groups() const { return meeting_groups_; }
  void set_meeting_groups(std::uint32_t count) { meeting_groups_ = count; }

 private:
  cl::Program program_;
  cl::Kernel kernel_;
  std::size_t group_;
  std::uint32_t meeting_groups_ = 0;
};

// Compiles. Throws UnsupportedError if the device lacks what the variant needs, DeviceError with the
// first line of the compiler's log if it fails.
std::unique_ptr<ClKernel> build(const cl::Context& context, const Traits& traits,
                                const DeviceInfo& info, const KernelVariant& variant);

// Work-groups of a dispatch: by rows or tokens of the op's index space, and whatever is the second
// dimension of its kernels.
struct Groups {
  std::size_t x = 0;
  std::size_t y = 1;
};
Groups groups_of(const KernelVariant& variant, std::span<const std::byte> params);

}  // namespace rotor::opencl
