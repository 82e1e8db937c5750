// What a report says of devices and options.
#pragma once

#include "bench/bench.h"
#include "bench/sampling.h"
#include "reports/report.h"
#include "runtime/device.h"

namespace rotor {

// `clock` is what was seen of the clock of the process, by which the CPU is timed.
DeviceFacts facts_of(const DeviceInfo& info, const ClockCheck& clock);

// Every option of a run that decides what is measured, defaults included. `model` is the one whose
// shapes are among the cases.
std::map<std::string, std::string> effective_options(const BenchOptions& options,
                                                     const std::string& model);

}  // namespace rotor
