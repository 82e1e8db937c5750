// What an error makes of the case that met it: one table of statuses and reason codes.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "core/result.h"
#include "runtime/device.h"

namespace rotor {

// Why a case came to no verdict of its own.
//   Unsupported, with the reason of the UnsupportedError
//   DeviceLost "device_lost": nothing else can run on this device object; open it anew
//   OutOfMemory "out_of_memory": of the device or the host
//   Error "compile_failed": the driver cannot compile this kernel
//   Error "device_error": another call of the driver failed
struct Fault {
  Status status;
  std::string reason_code;
  std::string message;
};

// Runs `work`. What ends this case, but not the run, becomes its fault: UnsupportedError, DeviceError,
// std::bad_alloc. Everything else is thrown on.
std::optional<Fault> run_guarded(const std::function<void()>& work);

// The same, but not on a device that fails the self-check of model/self_check.h: that is its fault then,
// FailVerify "self_check". For work that compares a device with itself or takes its times: a driver that
// computes nothing would be right, and fast. The CPU is the standard of that check, and not asked.
std::optional<Fault> run_if_sound(Device& device, const std::function<void()>& work);

}  // namespace rotor
