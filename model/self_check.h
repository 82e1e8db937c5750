// Whether a device computes what the CPU computes: asked before a device that nobody named is used.
#pragma once

#include <string>

#include "runtime/choose.h"

namespace rotor {

// Runs a small generated model, a prompt and two more tokens, on these kernels and on the portable
// ones of the CPU. Returns what was wrong, or an empty string. Throws UnsupportedError and
// DeviceError.
std::string self_check(KernelSet& kernels);

}  // namespace rotor
