// RMSNorm and what follows it, one work-group a token. Includers declare the bindings, the parameters
// `p`, and
//   float take(uint t, uint j)   element j of the row to be normed, called once for each element and
//                                before anything else: here a residual is added and stored;
//   float value(uint t, uint j)  the same element, later.
// Each invocation owns the same elements in every pass, four neighbours at a time. The first kHeld
// fours stay in registers, so that a row is read once; longer rows are read again.
#include "shaders/exact.glsl"
#include "shaders/group.glsl"

const uint kHeld = 4;
const uint kStep = 4 * kInvocations;

vec4 held[kHeld];

shared float part_hi[kInvocations];
shared float part_lo[kInvocations];

// The first element of the invocation's four number `slot`.
uint first_of(uint slot) { return 4 * gl_LocalInvocationID.x + slot * kStep; }

// Zeros stand behind the end of the row.
vec4 take_four(uint t, uint j) {
  vec4 v = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (j + i < p.k) v[i] = take(t, j + i);
  }
  return v;
}

vec4 four(uint t, uint j) {
  vec4 v = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (j + i < p.k) v[i] = value(t, j + i);
  }
  return v;
}

vec4 gain_four(uint j) {
  vec4 g = vec4(0.0);
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    if (j + i < p.k) g[i] = gain[j + i];
  }
  return g;
}

void take_row(uint t) {
  [[unroll]] for (uint c = 0; c < kHeld; ++c) held[c] = take_four(t, first_of(c));
  for (uint j = first_of(kHeld); j < p.k; j += kStep) take_four(t, j);
}

// Sum over the work-group; all invocations get it.
Two sum_over_group(Two mine) {
  const uint self = gl_LocalInvocationID.x;
  barrier();
  part_hi[self] = mine.hi;
  part_lo[self] = mine.lo;
  barrier();
  for (uint width = kInvocations; width > 1;) {
    const uint left = width > 4 ? width / 4 : 1;
    if (self < left) {
      [[unroll]] for (uint i = 1; i < 4; ++i) {
        const uint at = self + i * left;
        if (at < width) mine = two_add(mine, Two(part_hi[at], part_lo[at]));
      }
      part_hi[self] = mine.hi;
      part_lo[self] = mine.lo;
    }
    barrier();
    width = left;
  }
  return Two(part_hi[0], part_lo[0]);
}

Two add_squares(Two sum, vec4 four, float factor) {
  [[unroll]] for (uint i = 0; i < 4; ++i) {
    precise float v = four[i] * factor;
    sum = two_add(sum, two_product(v, v));
  }
  return sum;
}

// Sum of the squares of row t, its elements multiplied by `factor`, a power of two.
Two sum_of_squares(uint t, float factor) {
  Two sum = Two(0.0, 0.0);
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    if (first_of(c) < p.k) sum = add_squares(sum, held[c], factor);
  }
  for (uint j = first_of(kHeld); j < p.k; j += kStep) sum = add_squares(sum, four(t, j), factor);
  return sum_over_group(sum);
}

// Takes row t; 1 / sqrt(mean of squares + epsilon).
float inverse_rms(uint t) {
  take_row(t);
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

// What the contract calls y.
vec4 normed(vec4 v, uint j, float inverse) {
  precise vec4 y = v * inverse * gain_four(j);
  return y;
}
