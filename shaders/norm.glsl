// RMSNorm and what follows it, one work-group a token. Includers declare the bindings, the parameters
// `p`, and
//   float value(uint t, uint j)   element j of the row to be normed;
//   void prepare(uint t, uint j)  called once for each element before any value() of it.
// Each invocation owns the same elements (four neighbours) in every pass.
#include "shaders/exact.glsl"

shared float part_hi[kInvocations];
shared float part_lo[kInvocations];

// Sum over the work-group, a power of two of invocations; all of them get it.
Two sum_over_group(Two mine) {
  const uint i = gl_LocalInvocationID.x;
  barrier();
  part_hi[i] = mine.hi;
  part_lo[i] = mine.lo;
  barrier();
  for (uint width = kInvocations / 2; width > 0; width /= 2) {
    if (i < width) {
      const Two sum =
          two_add(Two(part_hi[i], part_lo[i]), Two(part_hi[i + width], part_lo[i + width]));
      part_hi[i] = sum.hi;
      part_lo[i] = sum.lo;
    }
    barrier();
  }
  return Two(part_hi[0], part_lo[0]);
}

// Sum of the squares of row t, its elements multiplied by `factor`, a power of two.
Two sum_of_squares(uint t, float factor) {
  Two sum = Two(0.0, 0.0);
  for (uint j = 4 * gl_LocalInvocationID.x; j < p.k; j += 4 * kInvocations) {
    for (uint i = j; i < min(j + 4, p.k); ++i) {
      precise float v = value(t, i) * factor;
      sum = two_add(sum, two_product(v, v));
    }
  }
  return sum_over_group(sum);
}

// 1 / sqrt(mean of squares + epsilon).
float inverse_rms(uint t) {
  for (uint j = 4 * gl_LocalInvocationID.x; j < p.k; j += 4 * kInvocations) {
    for (uint i = j; i < min(j + 4, p.k); ++i) prepare(t, i);
  }
  Two sum = sum_of_squares(t, 1.0);
  float factor = 1.0;
  if (!(sum.hi < 1e37)) {  // f32 overflowed where the CPU's double did not: again, scaled by 2^-70
    factor = uintBitsToFloat(0x1C800000u);
    sum = sum_of_squares(t, factor);
  }
  const Two mean = two_divide(sum, float(p.k));
  precise float epsilon = p.epsilon * factor * factor;
  precise float root = two_inverse_root(two_add(mean, Two(epsilon, 0.0))) * factor;
  return root;
}
