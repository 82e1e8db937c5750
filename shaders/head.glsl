// Logits: rows of the table times the normed hidden state. All invocations of a work-group go along the
// columns together, for kRows rows at once: the hidden state is loaded once for all of them, and kRows
// loads of the table are on their way at a time.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"

layout(push_constant) uniform Push { HeadParams p; };
layout(binding = 0, std430) readonly buffer X { float x[]; };                      // [m, k]
layout(binding = 0, std430) readonly buffer XWide { vec4 x_wide[]; };              // the same
layout(binding = 1, std430) readonly buffer Table { uint table[]; };               // [n] rows
layout(binding = 1, std430) readonly buffer TableWide { uvec4 table_wide[]; };     // the same
layout(binding = 2, std430) writeonly restrict buffer Logits { float logits[]; };  // [m, out_stride]

// The tile's rows, kRows, by a plain constant: drivers keep arrays in registers only where loops over
// them are unrolled, and do not unroll by specialization constants. kInvocations is a multiple of it.
const uint kRowsAtOnce = 16;
const uint kFolders = kInvocations / kRowsAtOnce;  // invocations that fold the parts of a row

shared float parts[kRowsAtOnce * kInvocations];
shared float folded[kInvocations];

float acc[kRowsAtOnce];

// Eight columns at a time. Rows past the last are read as the last.
void add_products(uint first_row, uint t) {
  for (uint j = 8 * gl_LocalInvocationID.x; j < p.k; j += 8 * kInvocations) {
    const uint at = (t * p.k + j) / 4;
    const vec4 low = x_wide[at];
    const vec4 high = x_wide[at + 1];
    [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) {
      const Eight e = EIGHT(table, table_wide, min(first_row + r, p.n - 1), p.k, j);
      acc[r] += dot(e.low, low) + dot(e.high, high);
    }
  }
}

// The same where rows are no multiple of eight.
void add_single_products(uint first_row, uint t) {
  for (uint j = gl_LocalInvocationID.x; j < p.k; j += kInvocations) {
    [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) {
      acc[r] += ELEMENT(table, min(first_row + r, p.n - 1), p.k, j) * x[t * p.k + j];
    }
  }
}

// Sums acc[] over the work-group and stores the logits.
void store_sums(uint first_row, uint t) {
  const uint self = gl_LocalInvocationID.x;
  const uint row = self / kFolders;
  barrier();
  [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) parts[r * kInvocations + self] = acc[r];
  barrier();
  float sum = 0.0;
  for (uint i = self % kFolders; i < kInvocations; i += kFolders) sum += parts[row * kInvocations + i];
  folded[self] = sum;
  barrier();
  if (self >= kRowsAtOnce || first_row + self >= p.n) return;
  float logit = 0.0;
  for (uint i = 0; i < kFolders; ++i) logit += folded[self * kFolders + i];
  logits[t * p.out_stride + first_row + self] = logit;
}

void main() {
  const uint first_row = group_index() * kRowsAtOnce;
  for (uint i = 0; i < kTokens; ++i) {
    const uint t = gl_WorkGroupID.y * kTokens + i;
    if (t >= p.m) return;
    [[unroll]] for (uint r = 0; r < kRowsAtOnce; ++r) acc[r] = 0.0;
    if (p.k % 8 == 0) add_products(first_row, t);
    else add_single_products(first_row, t);
    store_sums(first_row, t);
  }
}
