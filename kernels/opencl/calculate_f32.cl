// Multiply-adds in single precision, fused where the device is faster so: the products are exact.
#include "kernels/opencl/common.clh"
#include "kernels/opencl/calculate_vectors.clh"

typedef ROTOR_VECTOR(float) Number;
#define ROTOR_FLOATS(seeds) ROTOR_PASTE(convert_, ROTOR_VECTOR(float))(seeds)
#define ROTOR_FIRST(seed, i) ROTOR_FLOATS(((seed) & 255u) + (i))
#define ROTOR_FACTOR(seed) (0.5f - ROTOR_FLOATS((seed) >> 31))
#define ROTOR_ADDEND(seed) ROTOR_FLOATS(1u + ((seed) >> 16 & 127u))
#define ROTOR_NEXT(x, f, c) mad(x, f, c)
#define ROTOR_BITS(x) ROTOR_PASTE(as_, ROTOR_VECTOR(uint))(x)

#define ROTOR_ENTRY calculate_f32
#include "kernels/opencl/calculate.clh"
