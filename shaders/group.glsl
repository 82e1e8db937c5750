// Reductions over a whole work-group, a power of two of invocations, without subgroups. Every
// invocation must call; all of them get the result. Each step folds the values of up to eight
// invocations, so that few barriers are needed.
shared uint group_values[kInvocations];

#define FOLD_OVER_GROUP(value, fold, type, to_bits, of_bits)            \
  const uint self = gl_LocalInvocationID.x;                             \
  type some = value;                                                    \
  barrier();                                                            \
  group_values[self] = to_bits(some);                                   \
  barrier();                                                            \
  for (uint width = kInvocations; width > 1;) {                         \
    const uint left = width > 8 ? width / 8 : 1;                        \
    if (self < left) {                                                  \
      [[unroll]] for (uint i = 1; i < 8; ++i) {                         \
        const uint at = self + i * left;                                \
        if (at < width) some = fold(some, of_bits(group_values[at]));   \
      }                                                                 \
      group_values[self] = to_bits(some);                               \
    }                                                                   \
    barrier();                                                          \
    width = left;                                                       \
  }                                                                     \
  return of_bits(group_values[0]);

int plus(int a, int b) { return a + b; }
float plus(float a, float b) { return a + b; }

uint max_over_group(uint value) { FOLD_OVER_GROUP(value, max, uint, uint, uint) }
float max_over_group(float value) { FOLD_OVER_GROUP(value, max, float, floatBitsToUint, uintBitsToFloat) }
int sum_over_group(int value) { FOLD_OVER_GROUP(value, plus, int, uint, int) }
float sum_over_group(float value) { FOLD_OVER_GROUP(value, plus, float, floatBitsToUint, uintBitsToFloat) }
