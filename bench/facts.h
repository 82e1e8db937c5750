// A device as a report describes it.
#pragma once

#include "reports/report.h"
#include "runtime/device.h"

namespace rotor {

// Tries the clock of the process. Throws DeviceError if it runs backwards.
DeviceFacts facts_of(const DeviceInfo& info);

}  // namespace rotor
