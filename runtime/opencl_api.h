// OpenCL through its C++ wrappers, which own handles; results are checked here, not by exceptions
// of the wrappers.
#pragma once

#include <CL/opencl.hpp>
#include <string>

namespace rotor::opencl {

// "CL_OUT_OF_RESOURCES", or "error -9999".
std::string error_name(cl_int code);

// Throws DeviceError naming the call and the code unless the call succeeded.
void check(cl_int result, const char* call);

}  // namespace rotor::opencl
