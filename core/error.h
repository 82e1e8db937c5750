// Errors of rotor, one type per answer to the question "who deals with it?" (HOUSE.md, section 8).
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace rotor {

// Exit codes of both programs. The table in HOUSE.md section 8 is the documentation.
enum ExitCode : int {
  kExitOk = 0,
  kExitRegression = 1,      // a confirmed performance regression
  kExitCheckFailed = 2,     // a correctness check failed
  kExitInconclusive = 3,    // only where the caller asked to be told
  kExitInfrastructure = 4,  // device lost, worker died, coverage shrank
  kExitUsage = 64,          // impossible request, or nothing matched a filter
  kExitBadInput = 65,       // a file is bad, missing or unreadable
  kExitUnavailable = 69,    // this machine cannot do what was asked for by name
  kExitCannotWrite = 73,    // an output could not be written
  kExitInterrupted = 130,   // Ctrl-C; the report is still written
};

// Base of all of rotor's errors. `what()` is one line that names the thing and the remedy;
// `exit_code()` is what a program ends with when nobody caught the error before `main`.
class Error : public std::runtime_error {
 public:
  Error(const std::string& message, ExitCode code) : std::runtime_error(message), code_(code) {}
  ExitCode exit_code() const { return code_; }

 private:
  ExitCode code_;
};

// The caller asked for something impossible: an unknown flag, a filter that matches nothing.
class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message) : Error(message, kExitUsage) {}
};

// A file is missing, unreadable or not what it should be. The message names file and offset.
class FormatError : public Error {
 public:
  explicit FormatError(const std::string& message) : Error(message, kExitBadInput) {}
};

// Something could not be written: path, permissions, full disk.
class OutputError : public Error {
 public:
  explicit OutputError(const std::string& message) : Error(message, kExitCannotWrite) {}
};

// This machine cannot. `reason()` is a stable code that reports carry ("no_avx2"); `what()` is
// for people.
class UnsupportedError : public Error {
 public:
  UnsupportedError(std::string reason, const std::string& message)
      : Error(message, kExitUnavailable), reason_(std::move(reason)) {}
  const std::string& reason() const { return reason_; }

 private:
  std::string reason_;
};

// What a failed driver call means for whoever goes on.
enum class DeviceFault : std::uint8_t {
  Call,     // this call failed, the device is as it was
  Memory,   // there is no room; smaller things may still fit
  Compile,  // the driver cannot compile this kernel; others run
  Lost,     // the device is of no more use: destroy it, and open it anew
};

// A driver call failed. The message names the call and its code.
class DeviceError : public Error {
 public:
  explicit DeviceError(const std::string& message, DeviceFault fault = DeviceFault::Call)
      : Error(message, kExitInfrastructure), fault_(fault) {}
  DeviceFault fault() const { return fault_; }

 private:
  DeviceFault fault_;
};

}  // namespace rotor
