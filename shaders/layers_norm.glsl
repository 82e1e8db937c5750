// RMSNorm of a vector and the quantiser behind it, by each work-group for itself: the contract's
// arithmetic (kernels/ops.h), codes in shared memory.
struct NormInput {
  bool is_x;   // x[], or
  uint units;  // work_fours[] from here on
  uint k;      // a multiple of 4
};

const uint kHeld = 4;          // fours of the vector that an invocation keeps; more are read again
const uint kMaxCodes = 16384;  // the device refuses wider inputs
const uint kMaxSubgroups = 128;

vec4 held[kHeld];
vec4 held_gain[kHeld];

// Word 4c + i of a block of 64 codes is component i of codes[c * blocks + block]: invocations with
// neighbouring blocks then read from neighbouring banks.
shared uvec4 codes[kMaxCodes / 16];
shared double part_squares[kMaxSubgroups];
shared uint part_top[kMaxSubgroups];
shared int part_sum[kMaxSubgroups];

float held_inverse;
float code_scale;  // of the codes, the same for all invocations
int code_sum;

vec4 four_of(NormInput v, uint i) { return v.is_x ? x[i] : done_fours[v.units + i]; }

void fetch_gain(uint gain, uint k) {
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    const uint i = gl_LocalInvocationID.x + c * kInvocations;
    if (i < k / 4) held_gain[c] = gains[gain + i];
  }
}

double add_squares(double sum, vec4 four) {
  [[unroll]] for (uint i = 0; i < 4; ++i) sum += double(four[i]) * double(four[i]);
  return sum;
}

// Sum over the work-group; all invocations get it.
double sum_over_group(double mine) {
  const double part = subgroupAdd(mine);
  if (subgroupElect()) part_squares[gl_SubgroupID] = part;
  barrier();
  double sum = 0.0;
  for (uint i = gl_SubgroupInvocationID; i < subgroups; i += gl_SubgroupSize) sum += part_squares[i];
  return subgroupAdd(sum);
}

// Takes the vector; 1 / sqrt(mean of squares + epsilon). Vulkan promises no more for a root in double than
// for one in float, so that is left to two floats.
float inverse_rms(NormInput v) {
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    const uint i = gl_LocalInvocationID.x + c * kInvocations;
    held[c] = i < v.k / 4 ? four_of(v, i) : vec4(0.0);
  }
  double sum = 0.0;
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    if (c * kInvocations < v.k / 4) sum = add_squares(sum, held[c]);
  }
  for (uint i = gl_LocalInvocationID.x + kHeld * kInvocations; i < v.k / 4; i += kInvocations) {
    sum = add_squares(sum, four_of(v, i));
  }
  double mean = sum_over_group(sum) * (1.0lf / double(v.k)) + double(p.epsilon);
  float factor = 1.0;
  if (mean > 1e30lf) {  // no float: scaled by 2^-70 squared
    factor = uintBitsToFloat(0x1C800000u);
    mean *= double(factor) * double(factor);
  }
  const float high = float(mean);
  precise float root = two_inverse_root(Two(high, float(mean - double(high)))) * factor;
  return root;
}

vec4 normed_four(vec4 v, vec4 gain, float inverse) {
  precise vec4 y = v * inverse * gain;
  return y;
}

uint top_bits(uint top, vec4 y) {
  const uvec4 bits = floatBitsToUint(y) & 0x7FFFFFFFu;
  return max(top, max(max(bits.x, bits.y), max(bits.z, bits.w)));
}

uint max_over_group(uint mine) {
  const uint top = subgroupMax(mine);
  if (subgroupElect()) part_top[gl_SubgroupID] = top;
  barrier();
  uint all = 0;
  for (uint i = gl_SubgroupInvocationID; i < subgroups; i += gl_SubgroupSize) {
    all = max(all, part_top[i]);
  }
  return subgroupMax(all);
}

// Codes of the four number i; their sum.
int store_codes(uint i, uint blocks, vec4 y, float steps) {
  int sum = 0;
  uint word = 0;
  [[unroll]] for (uint j = 0; j < 4; ++j) {
    precise float v = y[j] * steps;
    const int code = round_code(v);
    sum += code;
    word |= (uint(code) & 0xFFu) << (8 * j);
  }
  const uint in_block = i % 16;
  codes[in_block / 4 * blocks + i / 16][in_block % 4] = word;
  return sum;
}

// Codes of the normed vector, zeros up to a multiple of 64, into shared memory, with their scale and sum.
// The gain was fetched.
void quantise(NormInput v, uint gain) {
  const float inverse = inverse_rms(v);
  held_inverse = inverse;
  const uint fours = v.k / 4;
  const uint blocks = row_units(v.k);
  uint top = floatBitsToUint(1e-5);
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    if (gl_LocalInvocationID.x + c * kInvocations < fours) {
      held[c] = normed_four(held[c], held_gain[c], inverse);
      top = top_bits(top, held[c]);
    }
  }
  const uint rest = gl_LocalInvocationID.x + kHeld * kInvocations;
  for (uint i = rest; i < fours; i += kInvocations) {
    top = top_bits(top, normed_four(four_of(v, i), gains[gain + i], inverse));
  }
  const float largest = uintBitsToFloat(max_over_group(top));
  const float steps = quantiser_steps(largest);
  int sum = 0;
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    const uint i = gl_LocalInvocationID.x + c * kInvocations;
    if (i < 16 * blocks) sum += store_codes(i, blocks, i < fours ? held[c] : vec4(0.0), steps);
  }
  for (uint i = rest; i < 16 * blocks; i += kInvocations) {
    const vec4 y = i < fours ? normed_four(four_of(v, i), gains[gain + i], inverse) : vec4(0.0);
    sum += store_codes(i, blocks, y, steps);
  }
  sum = subgroupAdd(sum);
  if (subgroupElect()) part_sum[gl_SubgroupID] = sum;
  barrier();
  int all = 0;
  for (uint i = gl_SubgroupInvocationID; i < subgroups; i += gl_SubgroupSize) all += part_sum[i];
  code_sum = subgroupAdd(all);
  precise float scale = largest * kUnit;
  code_scale = scale;
}
