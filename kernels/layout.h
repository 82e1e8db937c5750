// How parts lie in a large buffer: one text for C++, OpenCL C and GLSL. Offsets count units of 16 bytes;
// every part begins at a multiple of kPartUnits of them, so that a part is a view that any device binds.
#ifndef ROTOR_KERNELS_LAYOUT_H
#define ROTOR_KERNELS_LAYOUT_H

#ifdef __cplusplus
#include "kernels/params.h"
namespace rotor {
inline constexpr uint kLayoutUnit = 16;  // bytes
#define ROTOR_SHARED constexpr
#define ROTOR_CONSTANT constexpr
#elif defined(__OPENCL_VERSION__)
#define ROTOR_SHARED
#define ROTOR_CONSTANT __constant
#else
#define ROTOR_SHARED
#define ROTOR_CONSTANT const
#endif

ROTOR_CONSTANT uint kPartUnits = 32u;  // 512 bytes, kViewAlignment of runtime/device.h

// Words for meetings, in front of the working memory of kernels whose work-groups wait for each other.
ROTOR_CONSTANT uint kMeetUnits = 32u;

ROTOR_SHARED uint part_units(uint units) {
  return (units + kPartUnits - 1u) / kPartUnits * kPartUnits;
}
// Of 32-bit words.
ROTOR_SHARED uint float_units(uint count) {
  return part_units((count + 3u) / 4u);
}
// A matrix in the packing Bits2: 64 columns a unit, rows padded to 16.
ROTOR_SHARED uint row_units(uint k) {
  return (k + 63u) / 64u;
}
ROTOR_SHARED uint matrix_units(uint n, uint k) {
  return part_units((n + 15u) / 16u * 16u * row_units(k));
}

#ifdef __cplusplus
}  // namespace rotor
#endif

#endif  // ROTOR_KERNELS_LAYOUT_H
