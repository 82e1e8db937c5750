// The codes of a product, as they come by mail, into shared memory.
const uint kArrivedBits = 0x80808080u;

// Of each subgroup; beyond the last lie zeros.
shared ivec4 part_sum[kMaxSubgroups / 4];

bool has_arrived(uint word) { return (word & kArrivedBits) == kArrivedBits; }

uvec4 look_at(uint mail, uvec4 offset, uvec4 got) {
  if (!has_arrived(got.x)) got.x = look(mail + offset.x);
  if (!has_arrived(got.y)) got.y = look(mail + offset.y);
  if (!has_arrived(got.z)) got.z = look(mail + offset.z);
  if (!has_arrived(got.w)) got.w = look(mail + offset.w);
  return got;
}

// Four words, as they come. Those that are not there count as arrived.
uvec4 wait_for(uint mail, uvec4 offset, uvec4 got) {
  bool is_waiting = true;
  [[dont_unroll]] for (uint looks = 0; is_waiting; ++looks) {
    got = look_at(mail, offset, got);
    is_waiting = any(notEqual(got & kArrivedBits, uvec4(kArrivedBits)));
    if (looks == kPatience) {
      give_up();
      break;
    }
  }
  return got;
}

// Seven bits and a sign.
uvec4 extended(uvec4 word) {
  const uvec4 bits = word & 0x7F7F7F7Fu;
  return bits | (bits & 0x40404040u) << 1;
}

int store_codes(uint i, uint word) {
  const uint in_block = i % 16;
  codes[i / 16 * kBlockStride + in_block / 4][in_block % 4] = word;
  return dot4(word, 0x01010101u);
}

// Words of the mail that are `inputs` apart belong together. An invocation takes four at a time: of a wide input
// all that are its own, of others two, and the two that belong to them.
void receive(uint number) {
  const uint inputs = plan[number % 4].inputs;
  const uint zeros = plan[number % 4].zeros;
  const uint mine = gl_LocalInvocationID.x;
  const bool is_wide = inputs > 2 * kInvocations;
  const uvec4 place = mine + kInvocations * uvec4(0, 1, is_wide ? 2 : 0, is_wide ? 3 : 1);
  uvec4 word = uvec4(0);
  if (number == 0) {
    [[unroll]] for (uint c = 0; c < 4; ++c) {
      if (place[c] < inputs && (is_wide || c < 2)) word[c] = x[place[c]];
    }
  } else {
    const uint quads = plan[(number - 1) % 4].quads;
    const uint mail = mail_of(number - 1);
    const uvec4 is_mine = uvec4(lessThan(place, uvec4(inputs)));
    const uint step = is_wide ? inputs : 2 * inputs;
    uvec4 offset = place + inputs * uvec4(0, 0, is_wide ? 0 : 1, is_wide ? 0 : 1);
    [[dont_unroll]] for (uint first = 0; first < quads; first += step) {
      const uvec4 is_there = is_mine * uvec4(lessThan(offset, uvec4(quads)));
      word ^= wait_for(mail, offset, kArrivedBits * (1 - is_there));
      offset += step;
    }
    if (!is_wide) word.xy ^= word.zw;
    word = extended(word);
  }
  int sum = 0;
  if (place.x < inputs) sum += store_codes(place.x, word.x);
  if (place.y < inputs) sum += store_codes(place.y, word.y);
  if (is_wide) {
    if (place.z < inputs) sum += store_codes(place.z, word.z);
    if (place.w < inputs) sum += store_codes(place.w, word.w);
  }
  if (mine < zeros) store_codes(inputs + mine, 0);
  sum = subgroupAdd(sum);
  if (subgroupElect()) part_sum[gl_SubgroupID / 4][gl_SubgroupID % 4] = sum;
}

int sum_of_codes() {
  ivec4 all_parts = part_sum[0];
  [[dont_unroll]] for (uint i = 1; 4 * i < gl_NumSubgroups; ++i) all_parts += part_sum[i];
  return (all_parts.x + all_parts.y) + (all_parts.z + all_parts.w);
}
