// Packed dot products of four signed bytes, added up.
#include "kernels/opencl/common.clh"
#pragma OPENCL EXTENSION cl_khr_integer_dot_product : enable

typedef uint Seeds;
typedef uint Number;
#define ROTOR_PER_ITEM 1
#define ROTOR_READ(place, from) (from)[place]
#define ROTOR_WRITE(all, place, to) (to)[place] = all
#define ROTOR_FIRST(seed, i) ((seed) * (2u * (i) + 1u) + (i))
#define ROTOR_FACTOR(seed) ((seed) * 0x9E3779B1u)
#define ROTOR_ADDEND(seed) 0u
#define ROTOR_NEXT(x, f, c) ((x) + (uint)dot_4x8packed_ss_int(x, f))
#define ROTOR_BITS(x) (x)

#define ROTOR_ENTRY calculate_int8
#include "kernels/opencl/calculate.clh"
