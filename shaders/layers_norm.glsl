// RMSNorm of a vector and the quantiser behind it, by each work-group for itself: the contract's
// arithmetic (kernels/ops.h), codes in shared memory.
struct NormInput {
  uint mail;  // where it begins, in words
  uint k;     // a multiple of 64
};

const uint kHeld = 7;         // fours of the vector that each of 256 invocations keeps
const uint kUsual = 3;        // enough for most vectors: code for more is stepped over
const uint kMaxCodes = 7168;  // so many: can_run_layers() refuses wider inputs
const uint kMaxSubgroups = 8;

vec4 held[kHeld];       // the vector; then times the gain
vec4 held_gain[kHeld];

// Squares and products with the gain are of values so much smaller: their sum is a float up to values of some
// 1e26, beyond which the scale is no number. What becomes 0 of small ones is nothing beside epsilon and the
// least step of the quantiser.
const float kShrink = 5.9604644775390625e-8;  // 2^-24

// Word 4c + i of a block of 64 codes is component i of codes[c * blocks + block]: invocations with
// neighbouring blocks then read from neighbouring banks.
shared uvec4 codes[kMaxCodes / 16];
// Of each subgroup; beyond the last lie zeros.
shared vec4 part_squares[kMaxSubgroups / 4];
shared uvec4 part_top[kMaxSubgroups / 4];
shared ivec4 part_sum[kMaxSubgroups / 4];

float code_scale;  // of the codes, the same for all invocations
int code_sum;
float inverse;  // 1 / sqrt(mean of squares + epsilon), for the vector in held[]

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
    if (i < v.k / 4 && is_missing(received[c])) received[c] = look_four(v.mail, i);
  }
}

bool are_missing(uint fours, uint first, uint end) {
  bool any_is = false;
  [[unroll]] for (uint c = first; c < end; ++c) {
    any_is = any_is || (four_index(c) < fours && is_missing(received[c]));
  }
  return any_is;
}

// Takes in the vector as it comes, all looks at a time. (One subgroup that looks first, for all, took 7 % longer for a
// token on an H100. A look before what is fetched for the phase took 15 % longer: it is too early for most, and the
// next one then comes behind the weights.)
void receive(NormInput v) {
  const uint fours = v.k / 4;
  const bool is_wide = fours > kUsual * kInvocations;
  [[unroll]] for (uint c = 0; c < kHeld; ++c) received[c] = uvec4(0);
  look_for(v, 0, kUsual);
  if (is_wide) look_for(v, kUsual, kHeld);
  [[dont_unroll]] for (uint looks = 0;; ++looks) {
    bool is_waiting = are_missing(fours, 0, kUsual);
    if (is_wide) is_waiting = are_missing(fours, kUsual, kHeld) || is_waiting;
    if (!is_waiting) break;
    if (looks == kPatience) {
      give_up();
      break;
    }
    look_for(v, 0, kUsual);
    if (is_wide) look_for(v, kUsual, kHeld);
  }
  [[unroll]] for (uint c = 0; c < kHeld; ++c) held[c] = uintBitsToFloat(received[c]);
}

void fetch_gains(uint k, uint gain) {
  const uint fours = k / 4;
  fetch_gain(gain, 0, kUsual, fours);
  if (fours > kUsual * kInvocations) fetch_gain(gain, kUsual, kHeld, fours);
}

// 1 / sqrt(a), a unit or so off.
float inverse_root(float a) {
  const float r = inversesqrt(a);
  return fma(r, 0.5 * fma(-a * r, r, 1.0), r);
}

// 127 / top, as if rounded once (quantiser_steps() does it where a sum of products may be rounded twice).
float steps_to(float top) {
  const float reciprocal = 1.0 / top;
  precise float near = 127.0 * reciprocal;
  precise float steps = fma(fma(-near, top, 127.0), reciprocal, near);
  return steps;
}

vec4 shrink(uint first, uint end) {
  vec4 sum = vec4(0.0);
  [[unroll]] for (uint c = first; c < end; ++c) {
    held[c] *= kShrink;
    sum += held[c] * held[c];
  }
  return sum;
}

uint top_bits(uint top, vec4 y) {
  const uvec4 bits = floatBitsToUint(y) & 0x7FFFFFFFu;
  return max(top, max(max(bits.x, bits.y), max(bits.z, bits.w)));
}

uint apply_gain(uint top, uint first, uint end) {
  [[unroll]] for (uint c = first; c < end; ++c) {
    held[c] *= held_gain[c];
    top = top_bits(top, held[c]);
  }
  return top;
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

int store_held(uint fours, float steps, uint first, uint end) {
  int sum = 0;
  [[unroll]] for (uint c = first; c < end; ++c) {
    if (four_index(c) < fours) sum += store_codes(four_index(c), fours / 16, held[c], steps);
  }
  return sum;
}

// Codes of the normed vector into shared memory, with their scale and sum. The vector and its gains are held;
// `share` is 1 / k. False if anyone waited in vain.
//
// A code is a value's share of the largest, so the norm's root is in neither: it is in the scale alone, and
// squares and largest are found in one go.
bool quantise(uint k, float share) {
  const uint fours = k / 4;
  const bool is_wide = fours > kUsual * kInvocations;
  vec4 squares = shrink(0, kUsual);  // beyond the vector, zeros are held
  uint top = apply_gain(0, 0, kUsual);
  if (is_wide) {
    squares += shrink(kUsual, kHeld);
    top = apply_gain(top, kUsual, kHeld);
  }
  const float square = subgroupAdd((squares.x + squares.y) + (squares.z + squares.w));
  top = subgroupMax(top);
  if (subgroupElect()) {
    part_squares[gl_SubgroupID / 4][gl_SubgroupID % 4] = square;
    part_top[gl_SubgroupID / 4][gl_SubgroupID % 4] = top;
  }
  barrier();
  vec4 all_squares = part_squares[0];
  uvec4 tops = part_top[0];
  [[unroll]] for (uint i = 1; i < kMaxSubgroups / 4; ++i) {
    all_squares += part_squares[i];
    tops = max(tops, part_top[i]);
  }
  const bool is_whole = in_vain == 0;  // between two barriers that nobody waits behind: the same for all
  const float held_top = uintBitsToFloat(max(max(tops.x, tops.y), max(tops.z, tops.w)));
  const float mean = ((all_squares.x + all_squares.y) + (all_squares.z + all_squares.w)) * share;
  inverse = inverse_root(mean + p.epsilon * (kShrink * kShrink));
  const float largest = held_top * inverse;
  const bool is_small = largest < 1e-5;  // the least that the quantiser takes for the largest; not a NaN
  const float steps = is_small ? inverse * (127.0 / 1e-5) : steps_to(held_top);
  int sum = store_held(fours, steps, 0, kUsual);
  if (is_wide) sum += store_held(fours, steps, kUsual, kHeld);
  sum = subgroupAdd(sum);
  if (subgroupElect()) part_sum[gl_SubgroupID / 4][gl_SubgroupID % 4] = sum;
  barrier();
  ivec4 all = part_sum[0];
  [[unroll]] for (uint i = 1; i < kMaxSubgroups / 4; ++i) all += part_sum[i];
  code_sum = (all.x + all.y) + (all.z + all.w);
  code_scale = (is_small ? 1e-5 : largest) * kUnit;
  return is_whole;
}
