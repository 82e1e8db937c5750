// Sums over the kLanes invocations that share a row, through shared memory: no subgroups needed.
// kLanes and kInvocations are powers of two, kLanes at most kInvocations. Every invocation of the
// work-group must call; lane 0 of each row gets the sum.
shared uint partial_sums[kInvocations];

int sum_over_lanes(int value) {
  if (kLanes == 1) return value;
  const uint i = gl_LocalInvocationID.x;
  barrier();
  partial_sums[i] = uint(value);
  barrier();
  for (uint width = kLanes / 2; width > 0; width /= 2) {
    if (i % kLanes < width) partial_sums[i] += partial_sums[i + width];
    barrier();
  }
  return int(partial_sums[i]);
}

float sum_over_lanes(float value) {
  if (kLanes == 1) return value;
  const uint i = gl_LocalInvocationID.x;
  barrier();
  partial_sums[i] = floatBitsToUint(value);
  barrier();
  for (uint width = kLanes / 2; width > 0; width /= 2) {
    if (i % kLanes < width) {
      partial_sums[i] = floatBitsToUint(uintBitsToFloat(partial_sums[i]) +
                                        uintBitsToFloat(partial_sums[i + width]));
    }
    barrier();
  }
  return uintBitsToFloat(partial_sums[i]);
}
