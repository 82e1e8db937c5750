// Google Benchmark as registrar and front end: it knows the cases by name, calls each and reports
// to us. Its calibration, its statistics, its JSON and its exit status are not used, because they
// time what was not checked, write numbers that are not JSON, and end with 0 when a case failed.
#pragma once

#include <functional>
#include <string>

namespace rotor {

// Runs `body`, which returns seconds per launch, as the benchmark `name`, once. What the body throws
// is thrown from here.
void run_registered(const std::string& name, const std::function<double()>& body);

}  // namespace rotor
