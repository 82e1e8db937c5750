// What a report says of devices and options.
#pragma once

#include "bench/bench.h"
#include "reports/report.h"
#include "runtime/device.h"

namespace rotor {

// Tries the clock of the process. Throws DeviceError if it runs backwards.
DeviceFacts facts_of(const DeviceInfo& info);

// Every option of a run that decides what is measured, defaults included. `model` is the one whose
// shapes are among the cases.
std::map<std::string, std::string> effective_options(const BenchOptions& options,
                                                     const std::string& model);

}  // namespace rotor
