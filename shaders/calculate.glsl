// Nothing but arithmetic (kernels/ops.h, Calculate). The file that includes this has the Number of its
// unit, and what a seed says: first(seed, i), factor(seed), addend(seed), next(x, f, c), bits_of(x).
layout(push_constant) uniform Push { CalculateParams p; };
layout(binding = 0, std430) readonly restrict buffer Seeds { uint seeds[]; };        // [lanes]
layout(binding = 1, std430) writeonly restrict buffer Results { uint results[]; };   // [lanes]

void main() {
  const uint lane = group_index() * kRows + gl_LocalInvocationID.x;
  if (lane >= p.lanes) return;
  const uint seed = seeds[lane];
  const Number f = factor(seed);
  const Number c = addend(seed);
  Number x[ROTOR_SUMS];
  [[unroll]] for (uint i = 0; i < ROTOR_SUMS; ++i) x[i] = first(seed, i);
  for (uint round = 0; round < p.rounds; ++round) {
    [[unroll]] for (uint step = 0; step < ROTOR_STEPS; ++step) {
      [[unroll]] for (uint i = 0; i < ROTOR_SUMS; ++i) x[i] = next(x[i], f, c);
    }
  }
  uint all = 0;
  [[unroll]] for (uint i = 0; i < ROTOR_SUMS; ++i) all = all * 31u + bits_of(x[i]);
  results[lane] = all;
}
