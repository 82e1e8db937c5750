// Multiply-adds of 32-bit integers: what products cost without packed instructions.
#include "kernels/opencl/common.clh"
#include "kernels/opencl/calculate_vectors.clh"

typedef Seeds Number;
#define ROTOR_FIRST(seed, i) ((seed) * (2u * (i) + 1u) + (i))
#define ROTOR_FACTOR(seed) ((seed) | 1u)
#define ROTOR_ADDEND(seed) ((seed) >> 3)
#define ROTOR_NEXT(x, f, c) ((x) * (f) + (c))
#define ROTOR_BITS(x) (x)

#define ROTOR_ENTRY calculate_int32
#include "kernels/opencl/calculate.clh"
