// Sums over the kLanes invocations that share a row, through shared memory: no subgroups needed.
// kLanes and kInvocations are powers of two, kLanes at most kInvocations.
shared int partial_ints[kInvocations];

// Every invocation of the work-group must call it; lane 0 of each row gets the sum.
int sum_over_lanes(int value) {
  const uint i = gl_LocalInvocationID.x;
  if (kLanes == 1) return value;
  partial_ints[i] = value;
  barrier();
  for (uint half_width = kLanes / 2; half_width > 0; half_width /= 2) {
    if (i % kLanes < half_width) partial_ints[i] += partial_ints[i + half_width];
    barrier();
  }
  return partial_ints[i];
}
