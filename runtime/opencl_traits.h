// The OpenCL devices of this machine and what they can do.
#pragma once

#include <vector>

#include "runtime/devices.h"
#include "runtime/opencl_api.h"

namespace rotor::opencl {

// What kernels and buffers must know of a device, beside its DeviceInfo.
struct Traits {
  cl::Device device;
  std::size_t largest_group = 1;   // work-items
  std::size_t largest_buffer = 0;  // bytes
  std::size_t view_alignment = 1;  // bytes
  bool unified_memory = false;     // the host can map buffers instead of copying
  bool khr_subgroups = false;      // else subgroups, if any, are Intel's
  cl_uint multiprocessors = 0;     // 0: not known
  bool ptx_dot = false;            // takes NVIDIA's assembly, with dot products of four bytes
  const char* newest_standard = "CL1.2";
};

// All devices that could run kernels, real ones before software; empty without a driver. Throws
// DeviceError if the loader fails.
std::vector<cl::Device> find_devices();

Traits traits_of(const cl::Device& device);

// Who device number `index` is; features without the user's mask.
DeviceInfo describe(const cl::Device& device, std::size_t index);

}  // namespace rotor::opencl
