// Instruction sets are switched on around functions, never by a flag on the file (HOUSE.md,
// section 11): ROTOR_TARGET_BEGIN("avx2,fma") ... ROTOR_TARGET_END, after all includes.
// ROTOR_UNROLL before a loop of constant length, and ROTOR_INLINE on the functions that such arrays
// are passed to, let the elements of arrays live in registers.
#pragma once

#include <immintrin.h>

#define ROTOR_INLINE [[gnu::always_inline]] inline
#define ROTOR_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define ROTOR_TARGET_BEGIN(isa) \
  ROTOR_PRAGMA(clang attribute push(__attribute__((target(isa))), apply_to = function))
#define ROTOR_TARGET_END ROTOR_PRAGMA(clang attribute pop)
#define ROTOR_UNROLL ROTOR_PRAGMA(clang loop unroll(full))
#else
#define ROTOR_TARGET_BEGIN(isa) ROTOR_PRAGMA(GCC push_options) ROTOR_PRAGMA(GCC target(isa))
#define ROTOR_TARGET_END ROTOR_PRAGMA(GCC pop_options)
#define ROTOR_UNROLL ROTOR_PRAGMA(GCC unroll 16)
#endif
