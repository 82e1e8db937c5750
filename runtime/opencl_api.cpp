#include "runtime/opencl_api.h"

namespace rotor::opencl {
namespace {

struct ErrorName {
  cl_int code;
  const char* name;
};

// The codes that a right program can meet: what a driver runs out of or refuses.
constexpr ErrorName kErrorNames[] = {
    {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
    {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
    {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
    {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
    {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
    {CL_PROFILING_INFO_NOT_AVAILABLE, "CL_PROFILING_INFO_NOT_AVAILABLE"},
    {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
    {CL_MAP_FAILURE, "CL_MAP_FAILURE"},
    {CL_MISALIGNED_SUB_BUFFER_OFFSET, "CL_MISALIGNED_SUB_BUFFER_OFFSET"},
    {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
    {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
    {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE"},
    {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT"},
    {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS"},
    {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME"},
    {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
    {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
    {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
    {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT"},
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
};

// NVIDIA's driver: a kernel read or wrote outside its buffers.
constexpr cl_int kIllegalAccess = -9999;

// Context and queue are ours and were right once: a driver that says they are not has given them up.
DeviceFault fault_of(cl_int code) {
  switch (code) {
    case CL_DEVICE_NOT_AVAILABLE:
    case CL_INVALID_CONTEXT:
    case CL_INVALID_COMMAND_QUEUE:
    case CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST:
    case kIllegalAccess:
      return DeviceFault::Lost;
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
    case CL_OUT_OF_HOST_MEMORY:
    case CL_INVALID_BUFFER_SIZE:
      return DeviceFault::Memory;
    default:
      return DeviceFault::Call;
  }
}

}  // namespace

std::string error_name(cl_int code) {
  for (const ErrorName& known : kErrorNames) {
    if (known.code == code) return known.name;
  }
  return "error " + std::to_string(code);
}

void check(cl_int result, const char* call, DeviceFault shortage) {
  if (result == CL_SUCCESS) return;
  const DeviceFault fault = result == CL_OUT_OF_RESOURCES ? shortage : fault_of(result);
  throw DeviceError(std::string(call) + ": " + error_name(result), fault);
}

}  // namespace rotor::opencl
