// What a report says of the run, the machine and its devices, as JSON and back. A reader throws
// FormatError that names the place.
#pragma once

#include "reports/json_values.h"
#include "reports/report.h"

namespace rotor {

Json count_json(const std::optional<MutantCount>& count);
std::optional<MutantCount> read_count(const JsonReader& in, const char* key);

Json run_json(const Run& run);
Run read_run(const JsonReader& in);

Json power_json(const PowerState& power);
PowerState read_power_state(const JsonReader& in);

Json machine_json(const Machine& machine);
Machine read_machine_facts(const JsonReader& in);

Json device_json(const DeviceFacts& device);
DeviceFacts read_device(const JsonReader& in);

Json roof_json(const Roof& roof);
Roof read_roof(const JsonReader& in);

}  // namespace rotor
