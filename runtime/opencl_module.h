// What the module librotor_opencl.so offers the program that loads it. The module is the only thing
// that is linked to libOpenCL: a machine without it still starts the program.
#pragma once

#include <cstddef>
#include <memory>

#include "runtime/devices.h"

namespace rotor {

struct OpenClModule {
  // Appends the OpenCL devices, or why there are none.
  void (*list)(const DeviceOptions& options, DeviceList& list);
  // Opens device number `index` of that list. Throws UnsupportedError if there are not so many.
  std::unique_ptr<Device> (*open)(std::size_t index, const DeviceOptions& options);
};

inline constexpr char kOpenClModuleFile[] = "librotor_opencl.so";
inline constexpr char kOpenClModuleSymbol[] = "rotor_opencl_module";  // of type OpenClModule

}  // namespace rotor
