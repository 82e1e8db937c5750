// RMSNorm of a vector and the quantiser behind it, by each work-group for itself: the contract's
// arithmetic (kernels/ops.h), codes in shared memory.
struct NormInput {
  bool is_x;  // x[], or
  uint mail;  // where it begins, in words
  uint k;     // a multiple of 64
};

const uint kHeld = 7;         // fours of the vector that each of 256 invocations keeps
const uint kUsual = 3;        // enough for most vectors: code for more is stepped over
const uint kMaxCodes = 7168;  // so many: can_run_layers() refuses wider inputs
const uint kMaxSubgroups = 8;

vec4 held[kHeld];
vec4 held_gain[kHeld];

// Word 4c + i of a block of 64 codes is component i of codes[c * blocks + block]: invocations with
// neighbouring blocks then read from neighbouring banks.
shared uvec4 codes[kMaxCodes / 16];
// Of each subgroup; beyond the last lie zeros.
shared dvec2 part_squares[kMaxSubgroups / 2];
shared uvec4 part_top[kMaxSubgroups / 4];
shared ivec4 part_sum[kMaxSubgroups / 4];

float code_scale;  // of the codes, the same for all invocations
int code_sum;
float inverse;  // 1 / sqrt(mean of squares + epsilon)

uint four_index(uint c) { return gl_LocalInvocationID.x + c * kInvocations; }

void fetch_gain(uint gain, uint first, uint end, uint fours) {
  [[unroll]] for (uint c = first; c < end; ++c) {
    held_gain[c] = four_index(c) < fours ? gains[gain + four_index(c)] : vec4(0.0);
  }
}

uvec4 received[kHeld];

void look_for(NormInput v, uint first, uint end) {
  [[unroll]] for (uint c = first; c < end; ++c) {
    const uint i = four_index(c);
    if (i < v.k / 4 && is_missing(received[c])) received[c] = v.is_x ? sent(x[i]) : look_four(v.mail, i);
  }
}

bool are_missing(uint fours, uint first, uint end) {
  bool any_is = false;
  [[unroll]] for (uint c = first; c < end; ++c) {
    any_is = any_is || (four_index(c) < fours && is_missing(received[c]));
  }
  return any_is;
}

// Takes in the vector as it comes, all looks at a time. (One subgroup that looks first, for all, took 7 % longer
// for a token on an H100.)
void receive(NormInput v) {
  const uint fours = v.k / 4;
  const bool is_wide = fours > kUsual * kInvocations;
  [[unroll]] for (uint c = 0; c < kHeld; ++c) received[c] = uvec4(0);
  bool is_waiting = true;
  [[dont_unroll]] for (uint looks = 0; is_waiting; ++looks) {
    if (looks == kPatience) {
      give_up();
      break;
    }
    look_for(v, 0, kUsual);
    if (is_wide) look_for(v, kUsual, kHeld);
    is_waiting = are_missing(fours, 0, kUsual);
    if (is_wide) is_waiting = are_missing(fours, kUsual, kHeld) || is_waiting;
  }
  [[unroll]] for (uint c = 0; c < kHeld; ++c) held[c] = uintBitsToFloat(received[c]);
}

// Sum over the work-group; all invocations get it.
double sum_over_group(double mine) {
  const double part = subgroupAdd(mine);
  if (subgroupElect()) part_squares[gl_SubgroupID / 2][gl_SubgroupID % 2] = part;
  barrier();
  dvec2 a = part_squares[0];
  dvec2 b = part_squares[1];
  [[unroll]] for (uint i = 2; i < kMaxSubgroups / 2; i += 2) {
    a += part_squares[i];
    b += part_squares[i + 1];
  }
  a += b;
  return a.x + a.y;
}

// 1 / sqrt(a), as if rounded once: two_inverse_root() where a sum of products is rounded once.
float inverse_root(double a) {
  const bool is_huge = a > 1e30lf;  // no float: scaled by 2^-70 squared
  const float factor = is_huge ? uintBitsToFloat(0x1C800000u) : 1.0;
  if (is_huge) a *= double(factor) * double(factor);
  const float high = float(a);
  const float low = float(a - double(high));
  const float r = inversesqrt(high);
  precise float square = r * r;
  precise float square_low = fma(r, r, -square);
  precise float error = fma(-high, square, 1.0) - fma(high, square_low, low * square);
  precise float root = fma(r, error * fma(0.375, error, 0.5), r);
  return root * factor;
}

// 127 / top, as if rounded once (quantiser_steps() does it where a sum of products may be rounded twice).
float steps_to(float top) {
  const bool is_huge = top > 1e30;  // its reciprocal may be too small for a float
  const float scaled = is_huge ? top * uintBitsToFloat(0x2B800000u) : top;  // 2^-40
  const float reciprocal = 1.0 / scaled;
  precise float near = 127.0 * reciprocal;
  precise float steps = fma(fma(-near, scaled, 127.0), reciprocal, near);
  return is_huge ? steps * uintBitsToFloat(0x2B800000u) : steps;
}

vec4 normed_four(vec4 v, vec4 gain) {
  precise vec4 y = v * inverse * gain;
  return y;
}

uint top_bits(uint top, vec4 y) {
  const uvec4 bits = floatBitsToUint(y) & 0x7FFFFFFFu;
  return max(top, max(max(bits.x, bits.y), max(bits.z, bits.w)));
}

uint max_over_group(uint mine) {
  const uint top = subgroupMax(mine);
  if (subgroupElect()) part_top[gl_SubgroupID / 4][gl_SubgroupID % 4] = top;
  barrier();
  uvec4 all = part_top[0];
  [[unroll]] for (uint i = 1; i < kMaxSubgroups / 4; ++i) all = max(all, part_top[i]);
  return max(max(all.x, all.y), max(all.z, all.w));
}

// Codes of the four number i; their sum. Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves
// it in the lowest bits. No value is beyond 127, as the largest is what the steps come from.
int store_codes(uint i, uint blocks, vec4 y, float steps) {
  precise vec4 v = y * steps;
  precise vec4 rounded = v + 12582912.0;
  const uvec4 bits = floatBitsToUint(rounded) & 0xFFu;
  const uint word = bits.x | bits.y << 8 | bits.z << 16 | bits.w << 24;
  const uint in_block = i % 16;
  codes[in_block / 4 * blocks + i / 16][in_block % 4] = word;
  return dot4(word, 0x01010101u);
}

dvec4 squares_of(uint first, uint end) {
  dvec4 sum = dvec4(0.0);
  [[unroll]] for (uint c = first; c < end; ++c) sum += dvec4(held[c]) * dvec4(held[c]);
  return sum;
}

uint norm_held(uint top, uint first, uint end) {
  [[unroll]] for (uint c = first; c < end; ++c) {
    held[c] = normed_four(held[c], held_gain[c]);
    top = top_bits(top, held[c]);
  }
  return top;
}

int store_held(uint fours, float steps, uint first, uint end) {
  int sum = 0;
  [[unroll]] for (uint c = first; c < end; ++c) {
    if (four_index(c) < fours) sum += store_codes(four_index(c), fours / 16, held[c], steps);
  }
  return sum;
}

// Codes of the normed vector into shared memory, with their scale and sum. The vector was received;
// `gain` is where its gains begin and `share` 1 / k. False if anyone waited in vain.
bool quantise(uint k, uint gain, double share) {
  const uint fours = k / 4;
  const bool is_wide = fours > kUsual * kInvocations;
  fetch_gain(gain, 0, kUsual, fours);
  if (is_wide) fetch_gain(gain, kUsual, kHeld, fours);
  dvec4 squares = squares_of(0, kUsual);  // beyond the vector, zeros are held
  if (is_wide) squares += squares_of(kUsual, kHeld);
  const dvec2 halves = squares.xy + squares.zw;
  inverse = inverse_root(sum_over_group(halves.x + halves.y) * share + double(p.epsilon));
  uint top = norm_held(floatBitsToUint(1e-5), 0, kUsual);
  if (is_wide) top = norm_held(top, kUsual, kHeld);
  const float largest = uintBitsToFloat(max_over_group(top));
  const bool is_whole = in_vain == 0;  // between two barriers that nobody waits behind: the same for all
  const float steps = steps_to(largest);
  int sum = store_held(fours, steps, 0, kUsual);
  if (is_wide) sum += store_held(fours, steps, kUsual, kHeld);
  sum = subgroupAdd(sum);
  if (subgroupElect()) part_sum[gl_SubgroupID / 4][gl_SubgroupID % 4] = sum;
  barrier();
  ivec4 all = part_sum[0];
  [[unroll]] for (uint i = 1; i < kMaxSubgroups / 4; ++i) all += part_sum[i];
  code_sum = (all.x + all.y) + (all.z + all.w);
  precise float scale = largest * kUnit;
  code_scale = scale;
  return is_whole;
}
