// Instruction sets are switched on around functions, never by a flag on the file (HOUSE.md,
// section 11): ROTOR_TARGET_BEGIN("arch=armv8.2-a+dotprod") ... ROTOR_TARGET_END, after all includes.
#pragma once

#include <arm_neon.h>

#include "kernels/cpu/unroll.h"

#if defined(__clang__)
#define ROTOR_TARGET_BEGIN(isa) \
  ROTOR_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define ROTOR_TARGET_END ROTOR_PRAGMA(clang attribute pop)
#else
#define ROTOR_TARGET_BEGIN(isa) ROTOR_PRAGMA(GCC push_options) ROTOR_PRAGMA(GCC target(isa))
#define ROTOR_TARGET_END ROTOR_PRAGMA(GCC pop_options)
#endif
