// Embedding rows of the tokens in `step`; one work-group a token. Ids outside the slice are left to
// the other slices.
#include "shaders/common.glsl"
#include "shaders/rows.glsl"

layout(push_constant) uniform Push { EmbedParams p; };
layout(binding = 0, std430) readonly restrict buffer Table { uint table[]; };   // [vocab] rows
layout(binding = 1, std430) readonly restrict buffer Step { uint step_[]; };    // position, m, ids
layout(binding = 2, std430) writeonly restrict buffer Result { float result[]; };  // [m, k]

void main() {
  const uint t = gl_WorkGroupID.y;
  const uint row = step_[2 + t] - p.first;  // wraps for ids before the slice
  if (row >= p.vocab) return;
  for (uint j = gl_LocalInvocationID.x; j < p.k; j += kInvocations) {
    result[t * p.k + j] = ELEMENT(table, row, p.k, j);
  }
}
