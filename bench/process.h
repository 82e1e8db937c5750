// A child process: started, waited for, ended when it takes too long.
#pragma once

#include <string>
#include <vector>

namespace rotor {

struct ProcessEnd {
  int code = -1;           // exit code; 128 + signal where one ended it
  bool timed_out = false;  // and was ended therefore
  std::string last_line;   // of what it said on standard error
};

// Runs `argv` (argv[0] is the program's path) with standard output discarded and `extra_environment`
// ("NAME=value") added. Ends it after `timeout_s`, or when this program is interrupted. Throws
// DeviceError if it cannot be started. `scratch` is a file for its standard error.
ProcessEnd run_process(const std::vector<std::string>& argv, double timeout_s,
                       const std::string& scratch, const std::string& extra_environment);

}  // namespace rotor
