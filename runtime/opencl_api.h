// OpenCL through its C++ wrappers, which own handles; results are checked here, not by exceptions
// of the wrappers.
#pragma once

#include <CL/opencl.hpp>
#include <string>

#include "core/error.h"

namespace rotor::opencl {

// "CL_OUT_OF_RESOURCES", or "error -9999".
std::string error_name(cl_int code);

// Throws DeviceError naming the call and the code unless the call succeeded. CL_OUT_OF_RESOURCES is
// what drivers say of many things: `shortage` is what it means at this call. Where commands are
// waited for it is a kernel that the driver had to end, and with it the context.
void check(cl_int result, const char* call, DeviceFault shortage = DeviceFault::Lost);

}  // namespace rotor::opencl
