// ROTOR_UNROLL before a loop of constant length, and ROTOR_INLINE on the functions that such arrays
// are passed to, let the elements of arrays live in registers.
#pragma once

#define ROTOR_INLINE [[gnu::always_inline]] inline
#define ROTOR_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define ROTOR_UNROLL ROTOR_PRAGMA(clang loop unroll(full))
#else
#define ROTOR_UNROLL ROTOR_PRAGMA(GCC unroll 16)
#endif
