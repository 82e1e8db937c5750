// Multiply-adds in half precision, two at a time.
#include "kernels/opencl/common.clh"
#pragma OPENCL EXTENSION cl_khr_fp16 : enable

typedef uint Seeds;
typedef half2 Number;
#define ROTOR_PER_ITEM 1
#define ROTOR_READ(place, from) (from)[place]
#define ROTOR_WRITE(all, place, to) (to)[place] = all
#define ROTOR_FIRST(seed, i) convert_half2((uint2)(((seed) & 255u) + (i), ((seed) >> 8 & 255u) + (i)))
#define ROTOR_FACTOR(seed) ((half2)((seed) >> 31 == 0 ? (half)0.5f : (half)-0.5f))
#define ROTOR_ADDEND(seed) ((half2)((half)(float)(1u + ((seed) >> 16 & 127u))))
#define ROTOR_NEXT(x, f, c) mad(x, f, c)
#define ROTOR_BITS(x) as_uint(x)

#define ROTOR_ENTRY calculate_f16
#include "kernels/opencl/calculate.clh"
