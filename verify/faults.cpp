#include "verify/faults.h"

#include <new>

#include "core/error.h"
#include "model/self_check.h"

namespace rotor {
namespace {

Fault fault_of(const DeviceError& error) {
  switch (error.fault()) {
    case DeviceFault::Lost:
      return {Status::DeviceLost, "device_lost", error.what()};
    case DeviceFault::Memory:
      return {Status::OutOfMemory, "out_of_memory", error.what()};
    case DeviceFault::Compile:
      return {Status::Error, "compile_failed", error.what()};
    case DeviceFault::Call:
      break;
  }
  return {Status::Error, "device_error", error.what()};
}

}  // namespace

std::optional<Fault> run_guarded(const std::function<void()>& work) {
  try {
    work();
    return std::nullopt;
  } catch (const UnsupportedError& error) {
    return Fault{Status::Unsupported, error.reason(), error.what()};
  } catch (const DeviceError& error) {
    return fault_of(error);
  } catch (const std::bad_alloc&) {
    return Fault{Status::OutOfMemory, "out_of_memory", "the host has no memory left for it"};
  }
}

std::optional<Fault> run_if_sound(Device& device, const std::function<void()>& work) {
  std::string wrong;
  const std::optional<Fault> fault = run_guarded([&] {
    if (device.info().backend != Backend::Cpu) {
      KernelSet kernels(device);
      wrong = self_check(kernels);
    }
    if (wrong.empty()) work();
  });
  if (wrong.empty()) return fault;
  return Fault{Status::FailVerify, "self_check",
               device.info().name + " fails the self-check: " + wrong};
}

}  // namespace rotor
