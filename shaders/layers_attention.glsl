// Attention of one token. An item is a query head on a split of the positions: a work-group each. Where there
// are several splits, the one that is done last adds them up, in order, so that results do not depend on who
// that is. (Four heads an item, which reads keys and values once for all of them, was no faster at 2048
// positions on an H100 and twice as slow at 100.)
const uint kMaxDim = 256;  // the device refuses wider heads
const uint kBlock = 512;   // positions at a time
const uint kLeast = 128;   // positions that are worth a split

shared vec4 query[kMaxDim / 4];
shared float turn[kMaxDim];         // cosines, then sines of the position
shared float own_row[2 * kMaxDim];  // the position's key, then its value, as the cache keeps them
shared float row_top[2];
shared float scores[kBlock];
shared vec4 slices[kInvocations];  // sums of slices of the positions
shared bool last_split;

struct Item {
  uint head;
  uint kv_head;
  uint split;
  uint begin;  // positions
  uint end;
};

uint split_count(uint positions) {
  const uint room = max(gl_NumWorkGroups.x / p.heads, 1);
  return min(min(room, kMaxSplits), (positions + kLeast - 1) / kLeast);
}

Item item_of(uint number, uint splits, uint positions) {
  const uint head = number / splits;
  const uint split = number % splits;
  const uint each = (positions + splits - 1) / splits;  // all but the last are equal
  return Item(head, head / (p.heads / p.kv_heads), split, split * each, min((split + 1) * each, positions));
}

void load_angles() {
  for (uint i = gl_LocalInvocationID.x; i < p.head_dim; i += kInvocations) {
    turn[i] = angles[step_[0] * p.head_dim + i];
  }
  barrier();
}

// Elements i and i + head_dim / 2 of the rotated head vector that begins at done[z].
vec2 rotated_pair(uint z, uint i) {
  const uint half_dim = p.head_dim / 2;
  const float low = done[z + i];
  const float high = done[z + i + half_dim];
  const float cosine = turn[i];
  const float sine = turn[half_dim + i];
  precise float first = low * cosine - high * sine;
  precise float second = high * cosine + low * sine;
  return vec2(first, second);
}

void load_query_pair(uint z, uint i) {
  const vec2 pair = rotated_pair(z, i);
  const uint other = i + p.head_dim / 2;
  query[i / 4][i % 4] = pair.x;
  query[other / 4][other % 4] = pair.y;
}

// --- The position's own row ----------------------------------------------------------------------

// Element d of what the cache is to keep: the rotated key, or the value.
float own_element(uint qkv, uint kv_head, bool is_key, uint d) {
  const uint z = qkv + (p.heads + kv_head + (is_key ? 0 : p.kv_heads)) * p.head_dim;
  if (!is_key) return done[z + d];
  const uint half_dim = p.head_dim / 2;
  const vec2 pair = rotated_pair(z, d < half_dim ? d : d - half_dim);
  return d < half_dim ? pair.x : pair.y;
}

// Word w of it.
uint own_word(uint qkv, uint kv_head, bool is_key, uint w, float steps) {
#if defined(ROTOR_F32)
  return floatBitsToUint(own_element(qkv, kv_head, is_key, w));
#elif defined(ROTOR_F16)
  return half_bits(own_element(qkv, kv_head, is_key, 2 * w)) |
         half_bits(own_element(qkv, kv_head, is_key, 2 * w + 1)) << 16;
#else
  uint word = 0;
  for (uint d = 4 * w; d < 4 * w + 4; ++d) {
    precise float v = own_element(qkv, kv_head, is_key, d) * steps;
    word |= (uint(round_code(v)) & 0xFFu) << (8 * (d % 4));
  }
  return word;
#endif
}

#if defined(ROTOR_INT8ROW)
// The largest magnitude of key and value, one subgroup each (or the first both).
void find_row_tops(uint qkv, uint kv_head) {
  for (uint which = gl_SubgroupID; which < 2; which += subgroups) {
    uint top = 0;
    for (uint d = gl_SubgroupInvocationID; d < p.head_dim; d += gl_SubgroupSize) {
      top = max(top, floatBitsToUint(own_element(qkv, kv_head, which == 0, d)) & 0x7FFFFFFFu);
    }
    top = subgroupMax(top);
    if (subgroupElect()) row_top[which] = uintBitsToFloat(top);
  }
  barrier();
}
#endif

// What later tokens will read of word w.
void keep_own(uint word, bool is_key, uint w) {
  const uint at = is_key ? 0 : p.head_dim;
#if defined(ROTOR_F32)
  own_row[at + w] = uintBitsToFloat(word);
#elif defined(ROTOR_F16)
  const vec2 pair = unpackHalf2x16(word);
  own_row[at + 2 * w] = pair.x;
  own_row[at + 2 * w + 1] = pair.y;
#else
  const float scale = row_top[is_key ? 0 : 1] * kUnit;
  const vec4 four = four_codes(word) * scale;
  if (w < row_words(p.head_dim) - 1) {
    for (uint i = 0; i < 4; ++i) own_row[at + 4 * w + i] = four[i];
  }
#endif
}

// Word i of the position's key and value, one behind the other, into the cache and into shared memory. All
// heads that share them write the same.
void append_word(Item item, uint qkv, uint keys, uint values, uint i) {
  const uint words = row_words(p.head_dim);
  const uint row = (step_[0] * p.kv_heads + item.kv_head) * words;
  const bool is_key = i < words;
  const uint w = is_key ? i : i - words;
  float steps = 0.0;
#if defined(ROTOR_INT8ROW)
  const float top = row_top[is_key ? 0 : 1];
  // Below 2^-120 the quotient overflows; such rows become zeros (kernels/packing.cpp).
  if (top >= uintBitsToFloat(0x03800000u)) steps = quantiser_steps(top);
  precise float scale = top * kUnit;
  const uint word =
      w == words - 1 ? floatBitsToUint(scale) : own_word(qkv, item.kv_head, is_key, w, steps);
#else
  const uint word = own_word(qkv, item.kv_head, is_key, w, steps);
#endif
  keep_own(word, is_key, w);
  new_rows[(is_key ? keys : values) + row + w] = word;
}

// The query into shared memory, and, where the split has it, the position's own row.
void load_item(Item item, uint qkv, uint keys, uint values, bool has_own) {
#if defined(ROTOR_INT8ROW)
  if (has_own) find_row_tops(qkv, item.kv_head);
#endif
  const uint pairs = p.head_dim / 2;
  const uint all = pairs + (has_own ? 2 * row_words(p.head_dim) : 0);
  for (uint i = gl_LocalInvocationID.x; i < all; i += kInvocations) {
    if (i < pairs) load_query_pair(qkv + item.head * p.head_dim, i);
    else append_word(item, qkv, keys, values, i - pairs);
  }
}

// --- Scores and values of earlier positions ------------------------------------------------------

// Elements d to d + 7 of the key at a position, d a multiple of 8. `keys` is where those of the layer begin,
// in words.
Eight key_eight(uint keys, uint position, uint kv_head, uint d) {
  const uint at = keys + (position * p.kv_heads + kv_head) * row_words(p.head_dim);
#if defined(ROTOR_F32)
  return Eight(uintBitsToFloat(cache_wide[(at + d) / 4]), uintBitsToFloat(cache_wide[(at + d) / 4 + 1]));
#elif defined(ROTOR_F16)
  return eight_halves(cache_wide[(at + d / 2) / 4]);
#else
  return eight_codes(cache[at + d / 4], cache[at + d / 4 + 1],
                     uintBitsToFloat(cache[at + row_words(p.head_dim) - 1]));
#endif
}

// Elements d to d + 3 of a value, d a multiple of 4.
vec4 value_four(uint values, uint position, uint kv_head, uint d) {
  const uint at = values + (position * p.kv_heads + kv_head) * row_words(p.head_dim);
#if defined(ROTOR_F32)
  return uintBitsToFloat(cache_wide[(at + d) / 4]);
#elif defined(ROTOR_F16)
  const uvec2 words = cache_pairs[(at + d / 2) / 2];
  return vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));
#else
  return four_codes(cache[at + d / 4]) * uintBitsToFloat(cache[at + row_words(p.head_dim) - 1]);
#endif
}

// Lanes that share a position's score, each with its eights of the head.
uint score_lanes() {
  uint lanes = 1;
  while (lanes < gl_SubgroupSize && 8 * lanes < p.head_dim) lanes *= 2;
  return lanes;
}

const uint kTurns = 4;  // positions that a team of lanes scores at a time: all loads before the first use

// Scores of `count` earlier positions from `first` on.
void score(Item item, uint keys, uint first, uint count, float scale) {
  const uint lanes = score_lanes();
  const uint lane = self % lanes;
  const uint teams = kInvocations / lanes;
  for (uint begin = self / lanes; begin < count; begin += kTurns * teams) {
    float sums[kTurns];
    [[unroll]] for (uint t = 0; t < kTurns; ++t) sums[t] = 0.0;
    for (uint d = 8 * lane; d < p.head_dim; d += 8 * lanes) {
      Eight key[kTurns];
      [[unroll]] for (uint t = 0; t < kTurns; ++t) {
        key[t] = key_eight(keys, first + min(begin + t * teams, count - 1), item.kv_head, d);
      }
      const vec4 low = query[d / 4];
      const vec4 high = query[d / 4 + 1];
      [[unroll]] for (uint t = 0; t < kTurns; ++t) sums[t] += dot(key[t].low, low) + dot(key[t].high, high);
    }
    for (uint width = lanes / 2; width > 0; width /= 2) {
      [[unroll]] for (uint t = 0; t < kTurns; ++t) sums[t] += subgroupShuffleXor(sums[t], width);
    }
    [[unroll]] for (uint t = 0; t < kTurns; ++t) {
      if (lane == 0 && begin + t * teams < count) scores[begin + t * teams] = sums[t] * scale;
    }
  }
}

// The score of the position itself, as number i of the block, by the last subgroup.
void score_own(uint i, float scale) {
  if (gl_SubgroupID == subgroups - 1) {
    float sum = 0.0;
    for (uint d = gl_SubgroupInvocationID; d < p.head_dim / 4; d += gl_SubgroupSize) {
      const vec4 key = vec4(own_row[4 * d], own_row[4 * d + 1], own_row[4 * d + 2], own_row[4 * d + 3]);
      sum += dot(key, query[d]);
    }
    sum = subgroupAdd(sum);
    if (subgroupElect()) scores[i] = sum * scale;
  }
}

// Of all blocks so far. Every subgroup finds them for itself.
float top;    // score
float total;  // of exp(score - top)
vec4 sums;    // of values times that: this invocation's slice of the positions, four elements

// Takes in `count` scores; returns what earlier sums are worth now.
float weigh(uint count) {
  const float old_top = top;
  for (uint i = gl_SubgroupInvocationID; i < count; i += gl_SubgroupSize) top = max(top, scores[i]);
  top = subgroupMax(top);
  float sum = 0.0;
  for (uint i = gl_SubgroupInvocationID; i < count; i += gl_SubgroupSize) sum += exp(scores[i] - top);
  const float shrink = exp(old_top - top);
  total = total * shrink + subgroupAdd(sum);
  return shrink;
}

const uint kAhead = 8;  // values on their way at a time

// Adds `count` earlier values from `first` on, and that of the position itself behind them.
void add_values(Item item, uint values, uint first, uint count, bool and_own) {
  const uint fours = p.head_dim / 4;
  const uint slice_count = kInvocations / fours;
  const uint slice = gl_LocalInvocationID.x / fours;
  const uint d = 4 * (gl_LocalInvocationID.x % fours);
  const uint behind = slice < slice_count ? count : 0;  // invocations that are left over have none
  for (uint begin = slice; begin < behind; begin += kAhead * slice_count) {
    vec4 value[kAhead];
    [[unroll]] for (uint a = 0; a < kAhead; ++a) {
      value[a] = value_four(values, first + min(begin + a * slice_count, count - 1), item.kv_head, d);
    }
    [[unroll]] for (uint a = 0; a < kAhead; ++a) {
      const uint i = begin + a * slice_count;
      sums += (i < count ? exp(scores[i] - top) : 0.0) * value[a];
    }
  }
  if (and_own && slice == 0) {
    const uint at = p.head_dim + d;
    sums += exp(scores[count] - top) *
            vec4(own_row[at], own_row[at + 1], own_row[at + 2], own_row[at + 3]);
  }
}

// --- Items ---------------------------------------------------------------------------------------

uint tops_at(uint trace, uint split, uint head) {
  return 4 * (trace + traced.tops) + (split * p.heads + head) * 2;
}
// In fours.
uint sums_at(uint trace, uint split, uint head) {
  return trace + traced.sums + (split * p.heads + head) * p.head_dim / 4;
}

// The sums of the work-group: divided by the total where nobody else has a part.
void store_sums(Item item, uint splits, uint trace) {
  const uint fours = p.head_dim / 4;
  slices[gl_LocalInvocationID.x] = sums;
  barrier();
  if (gl_LocalInvocationID.x < fours) {
    vec4 sum = vec4(0.0);
    for (uint i = gl_LocalInvocationID.x; i < kInvocations / fours * fours; i += fours) sum += slices[i];
    if (splits == 1) {
      work_fours[trace + traced.attended + item.head * fours + gl_LocalInvocationID.x] = sum / total;
    } else {
      work_fours[sums_at(trace, item.split, item.head) + gl_LocalInvocationID.x] = sum;
    }
  }
  if (splits > 1 && gl_LocalInvocationID.x == 0) {
    const uint at = tops_at(trace, item.split, item.head);
    work[at] = top;
    work[at + 1] = total;
  }
}

// Whether all splits of the head are done; true for one work-group only.
bool is_last_split(Item item, uint splits) {
  controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsBuffer | gl_StorageSemanticsShared,
                 gl_SemanticsAcquireRelease);
  if (gl_LocalInvocationID.x == 0) {
    const uint before = atomicAdd(meeting[kSplits + item.head], 1u, gl_ScopeDevice,
                                  gl_StorageSemanticsBuffer, gl_SemanticsAcquireRelease);
    last_split = before + 1 == splits;
    if (last_split) {
      atomicStore(meeting[kSplits + item.head], 0u, gl_ScopeDevice, gl_StorageSemanticsNone,
                  gl_SemanticsRelaxed);
    }
  }
  controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsBuffer | gl_StorageSemanticsShared,
                 gl_SemanticsAcquireRelease);
  return last_split;
}

void add_splits(Item item, uint splits, uint trace) {
  float all_top = uintBitsToFloat(0xFF800000u);  // -infinity
  for (uint s = gl_SubgroupInvocationID; s < splits; s += gl_SubgroupSize) {
    all_top = max(all_top, done[tops_at(trace, s, item.head)]);
  }
  all_top = subgroupMax(all_top);
  float all_total = 0.0;
  for (uint s = gl_SubgroupInvocationID; s < splits; s += gl_SubgroupSize) {
    const uint at = tops_at(trace, s, item.head);
    const float worth = exp(done[at] - all_top);
    if (gl_SubgroupID == 0) scores[s] = worth;
    all_total += worth * done[at + 1];
  }
  all_total = subgroupAdd(all_total);
  barrier();
  const uint fours = p.head_dim / 4;
  if (gl_LocalInvocationID.x < fours) {
    vec4 sum = vec4(0.0);
    for (uint s = 0; s < splits; ++s) {
      sum += scores[s] * done_fours[sums_at(trace, s, item.head) + gl_LocalInvocationID.x];
    }
    work_fours[trace + traced.attended + item.head * fours + gl_LocalInvocationID.x] = sum / all_total;
  }
}

void attend_item(Item item, uint splits, uint positions, uint layer, uint trace) {
  const uint half_words = 4 * cache_half_units(p, row_words(p.head_dim));
  const uint keys = 2 * layer * half_words;
  const uint values = keys + half_words;
  const float scale = inversesqrt(float(p.head_dim));
  top = uintBitsToFloat(0xFF800000u);  // -infinity
  total = 0.0;
  sums = vec4(0.0);
  barrier();
  load_item(item, 4 * (trace + traced.qkv), keys, values, item.end == positions);
  barrier();
  for (uint first = item.begin; first < item.end; first += kBlock) {
    const uint count = min(kBlock, item.end - first);
    const bool has_own = first + count == positions;
    const uint past = has_own ? count - 1 : count;
    if (past != 0) score(item, keys, first, past, scale);
    if (has_own) score_own(past, scale);
    barrier();
    sums *= weigh(count);
    add_values(item, values, first, past, has_own);
    barrier();
  }
  store_sums(item, splits, trace);
  if (splits > 1 && is_last_split(item, splits)) add_splits(item, splits, trace + (last_split ? 0 : 1));
}

void attend(uint layer, uint trace) {
  const uint positions = step_[0] + 1;
  const uint splits = split_count(positions);
  for (uint i = gl_WorkGroupID.x; i < p.heads * splits; i += gl_NumWorkGroups.x) {
    attend_item(item_of(i, splits, positions), splits, positions, layer, trace);
  }
}
