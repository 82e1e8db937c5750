// The arithmetic rates of a GPU: rows that do nothing else (kernels/ops.h, Calculate), with work enough
// to fill a large one, on the clock that cases are timed with.
#pragma once

#include <string>
#include <vector>

#include "reports/roofline.h"
#include "runtime/device.h"

namespace rotor {

// int32_mad, int8_dot, fp32_fma, fp16_fma: those that the device has. Every result is held
// against the reference after it was timed, so that work which a driver leaves out for good is found; work
// that it does once for several is not. Throws DeviceError where a result is wrong.
std::vector<Roof> measure_arithmetic(Device& device, const std::string& at);

}  // namespace rotor
