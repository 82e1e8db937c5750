// What the CPU that runs this program can do.
#pragma once

#include "kernels/variant.h"

namespace rotor {

// Feature bits of the host, as CPUID (or the kernel's hwcaps) and the operating system's support
// for the registers tell them.
Features host_features();

}  // namespace rotor
