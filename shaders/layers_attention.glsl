// Attention of one token. An item is a query head on a split of the positions: a work-group each. Within it
// each team of eight lanes takes positions of its own, a lane sixteen elements of them, and keeps a sum of its own
// that is rescaled where a larger score turns up; so that lanes wait for each other twice, and keys and
// values are on their way before the query is there. Sums are added in one order, whoever is first.
const uint kMaxDim = 128;    // can_run_layers() refuses wider heads
const uint kWidth = 16;      // elements of a lane
const uint kTeam = 8;        // lanes; heads may be narrower than all of them
const uint kTeams = kInvocations / kTeam;
const float kLowest = -3e38; // below all scores

shared float turn[kMaxDim];  // cosines, then sines of the position
// Query, the position's own key, its value: as they came; then rotated, and the last two as the cache has them.
shared float came[3 * kMaxDim];
shared vec4 heads[3 * kMaxDim / 4];
#if defined(ROTOR_INT8ROW)
shared uint row_tops[2];
#endif
shared vec4 team_tops[kTeams / 4];
shared vec4 team_totals[kTeams / 4];
shared float split_tops[2 * kMaxSplits];  // the largest score of each split, and the sum of its weights

// A lane's part of a row as the cache keeps it.
#if defined(ROTOR_F32)
const uint kWide = 4;
const uint kTurns = 2;  // rows of a team on their way at a time
#elif defined(ROTOR_F16)
const uint kWide = 2;
const uint kTurns = 4;
#else
const uint kWide = 1;
const uint kTurns = 4;
#endif
struct Row {
  uvec4 words[kWide];
  float scale;  // of codes
};

struct Item {
  uint head;
  uint kv_head;
  uint split;
  uint begin;  // positions
  uint end;
};

Item item_of(uint number, uint positions) {
  const uint head = number / splits;
  const uint split = number % splits;
  const uint each = (positions + splits - 1) / splits;  // all but the last are equal
  return Item(head, head / (p.heads / p.kv_heads), split, split * each, min((split + 1) * each, positions));
}

void load_angles() {
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < p.head_dim; i += kInvocations) {
    turn[i] = angles[step_[0] * p.head_dim + i];
  }
}

// --- Rows ----------------------------------------------------------------------------------------

// Elements d to d + 15; `base` is where keys or values of the layer begin, in words.
Row load_row(uint base, uint position, uint kv_head, uint d) {
  const uint at = base + (position * p.kv_heads + kv_head) * row_words(p.head_dim);
  Row row;
  row.scale = 1.0;
#if defined(ROTOR_F32)
  [[unroll]] for (uint c = 0; c < 4; ++c) row.words[c] = cache_wide[(at + d) / 4 + c];
#elif defined(ROTOR_F16)
  [[unroll]] for (uint c = 0; c < 2; ++c) row.words[c] = cache_wide[(at + d / 2) / 4 + c];
#else
  [[unroll]] for (uint c = 0; c < 4; ++c) row.words[0][c] = cache[at + d / 4 + c];
  row.scale = uintBitsToFloat(cache[at + row_words(p.head_dim) - 1]);
#endif
  return row;
}

vec4 four_of_row(Row row, uint c) {
#if defined(ROTOR_F32)
  return uintBitsToFloat(row.words[c]);
#elif defined(ROTOR_F16)
  const uvec4 w = row.words[c / 2];
  return vec4(unpackHalf2x16(w[c % 2 * 2]), unpackHalf2x16(w[c % 2 * 2 + 1]));
#else
  return four_codes(row.words[0][c]) * row.scale;
#endif
}

// --- What was mailed -----------------------------------------------------------------------------

// The query, and, for the split that has the position itself, its key and value.
void receive_heads(Item item, uint qkv, bool has_own) {
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < (has_own ? 3 : 1) * p.head_dim; i += kInvocations) {
    const uint which = i / p.head_dim;
    const uint head =
        which == 0 ? item.head : p.heads + item.kv_head + (which == 1 ? 0 : p.kv_heads);
    const uint word = qkv + mail_word(head * p.head_dim + i % p.head_dim);
    came[i] = wait_word(look(word), word);
  }
}

// Elements d and d + 1 of what came; all but the value is rotated: each element with the one half a head away.
vec2 rotated_pair(uint which, uint d) {
  const vec2 pair = vec2(came[which * p.head_dim + d], came[which * p.head_dim + d + 1]);
  if (which == 2) return pair;
  const uint half_dim = p.head_dim / 2;
  const bool is_low = d < half_dim;
  const uint low = is_low ? d : d - half_dim;
  const uint other = which * p.head_dim + (is_low ? d + half_dim : low);
  const vec2 far = is_low ? -vec2(came[other], came[other + 1]) : vec2(came[other], came[other + 1]);
  const vec2 cosine = vec2(turn[low], turn[low + 1]);
  const vec2 sine = vec2(turn[half_dim + low], turn[half_dim + low + 1]);
  precise vec2 result = pair * cosine + far * sine;
  return result;
}

// Rotates what came, rounds key and value as the cache has them, and keeps these there.
void turn_heads(Item item, uint keys, uint values, bool has_own) {
  const bool keeps = item.head % (p.heads / p.kv_heads) == 0;  // one of the heads that share them
  const uint pairs = p.head_dim / 2;
  const uint row = (step_[0] * p.kv_heads + item.kv_head) * row_words(p.head_dim);
#if defined(ROTOR_INT8ROW)
  if (has_own) {
    [[dont_unroll]] for (uint i = self; i < 2 * pairs; i += kInvocations) {
      const uvec2 bits = floatBitsToUint(rotated_pair(1 + i / pairs, i % pairs * 2)) & 0x7FFFFFFFu;
      atomicMax(row_tops[i / pairs], max(bits.x, bits.y));
    }
    barrier();
  }
#endif
  [[dont_unroll]] for (uint i = self; i < (has_own ? 3 : 1) * pairs; i += kInvocations) {
    const uint which = i / pairs;
    const uint d = i % pairs * 2;
    vec2 pair = rotated_pair(which, d);
    const uint base = (which == 1 ? keys : values) + row;
    if (which != 0) {
#if defined(ROTOR_F32)
      if (keeps) new_rows[base + d] = floatBitsToUint(pair.x);
      if (keeps) new_rows[base + d + 1] = floatBitsToUint(pair.y);
#elif defined(ROTOR_F16)
      const uint word = half_bits(pair.x) | half_bits(pair.y) << 16;
      if (keeps) new_rows[base + d / 2] = word;
      pair = unpackHalf2x16(word);
#else
      const float top = uintBitsToFloat(row_tops[which - 1]);
      // Below 2^-120 the quotient overflows; such rows become zeros (kernels/packing_rows.cpp).
      const float steps = top >= uintBitsToFloat(0x03800000u) ? quantiser_steps(top) : 0.0;
      precise float scale = top * kUnit;
      precise vec2 v = pair * steps;
      const ivec2 code = ivec2(round_code(v.x), round_code(v.y));
      pair = vec2(code) * scale;
      // Two invocations share a word.
      const uint half_word = (uint(code.x) & 0xFFu) | (uint(code.y) & 0xFFu) << 8;
      const uint other = subgroupShuffleXor(half_word, 1);
      if (keeps && i % 2 == 0) new_rows[base + d / 4] = half_word | other << 16;
      if (keeps && d == 0) new_rows[base + row_words(p.head_dim) - 1] = floatBitsToUint(scale);
#endif
    }
    heads[(which * p.head_dim + d) / 4][d % 4] = pair.x;
    heads[(which * p.head_dim + d) / 4][d % 4 + 1] = pair.y;
  }
}

// --- Scores and sums of a team -------------------------------------------------------------------

vec4 query[4];
float top;    // the largest score so far
float total;  // of exp(score - top)
vec4 sums[4];  // of values times that

float over_team(float score) {
  [[unroll]] for (uint width = 1; width < kTeam; width *= 2) score += subgroupShuffleXor(score, width);
  return score;
}

void raise_top(float score) {
  const float higher = max(top, score);
  const float shrink = exp(top - higher);
  total *= shrink;
  [[unroll]] for (uint c = 0; c < 4; ++c) sums[c] *= shrink;
  top = higher;
}

void emit_attended(uint mail, uint traces, uint element, float value) {
  send(mail + 4 * mailed.attended, element, value);
  trace[traces + 4 * traced.attended + element] = value;
}

// Adds those of all teams, which lie where codes do: nobody needs these now.
void send_sums(Item item, uint mail, uint traces) {
  const uint team = self / kTeam;
  if (self % kTeam == 0) team_tops[team / 4][team % 4] = top;
  barrier();
  vec4 tops = team_tops[0];
  [[unroll]] for (uint t = 1; t < kTeams / 4; ++t) tops = max(tops, team_tops[t]);
  const float all_top = max(max(tops.x, tops.y), max(tops.z, tops.w));
  raise_top(all_top);
  // The four teams of 32 lanes: each lane ends with four of the sixteen elements, of all four.
  const bool is_high = (self & 16u) != 0;
  vec4 some = (is_high ? sums[2] : sums[0]) + subgroupShuffleXor(is_high ? sums[0] : sums[2], 16);
  vec4 more = (is_high ? sums[3] : sums[1]) + subgroupShuffleXor(is_high ? sums[1] : sums[3], 16);
  const bool is_odd = (self & 8u) != 0;
  some = (is_odd ? more : some) + subgroupShuffleXor(is_odd ? some : more, 8);
  codes[self] = floatBitsToUint(some);
  if (self % kTeam == 0) team_totals[team / 4][team % 4] = total;
  barrier();
  const uint i = gl_LocalInvocationID.x;
  if (i >= p.head_dim) return;  // work-groups are at least as wide
  vec4 totals = team_totals[0];
  [[unroll]] for (uint t = 1; t < kTeams / 4; ++t) totals += team_totals[t];
  const float all_total = (totals.x + totals.y) + (totals.z + totals.w);
  const uint c = i / 4 % 4;
  const uint lane = i / kWidth + (c & 2u) * 8 + (c & 1u) * 8;
  float sum = 0.0;
  [[unroll]] for (uint g = 0; g < kInvocations / 32; ++g) sum += uintBitsToFloat(codes[32 * g + lane][i % 4]);
  const uint element = item.head * p.head_dim + i;
  if (splits == 1) {
    emit_attended(mail, traces, element, sum / all_total);
    return;
  }
  send(mail + 4 * mailed.sums, item.split * q_rows(p) + element, sum);
  if (i == 0) {
    send_word(mail + 4 * mailed.tops + 2 * (item.split * p.heads + item.head), all_top);
    send_word(mail + 4 * mailed.tops + 2 * (item.split * p.heads + item.head) + 1, all_total);
  }
}

// Adds the splits of a head, in order: the elements of it that fall to this one of them.
void add_splits(Item item, uint mail, uint traces) {
  const uint i = gl_LocalInvocationID.x;
  const uint each = (p.head_dim + splits - 1) / splits;
  const uint first = item.head * p.head_dim + item.split * each;
  const uint count = min(each, p.head_dim - min(item.split * each, p.head_dim));
  // Nobody waits for a split without a share, so what it waited for could be cleared before it came.
  if (count == 0) return;
  barrier();  // what lies here is no longer read
  if (i < count * splits) {
    const uint word = mail + 4 * mailed.sums + mail_word(i / count * q_rows(p) + first + i % count);
    came[i] = wait_word(look(word), word);
  }
  if (i < 2 * splits) {
    const uint word = mail + 4 * mailed.tops + 2 * (i / 2 * p.heads + item.head) + i % 2;
    split_tops[i] = wait_word(look(word), word);
  }
  barrier();
  if (i >= count) return;
  float all_top = kLowest;
  float all_total = 0.0;
  float sum = 0.0;
  [[dont_unroll]] for (uint s = 0; s < splits; ++s) {
    const float higher = max(all_top, split_tops[2 * s]);
    const float shrink = exp(all_top - higher);
    const float worth = exp(split_tops[2 * s] - higher);
    all_total = all_total * shrink + worth * split_tops[2 * s + 1];
    sum = sum * shrink + worth * came[s * count + i];
    all_top = higher;
  }
  emit_attended(mail, traces, first + i, sum / all_total);
}

// --- Items ---------------------------------------------------------------------------------------

void load_rows(Item item, uint keys, uint values, uint position, uint past, uint d, out Row key[kTurns],
               out Row value[kTurns]) {
  [[unroll]] for (uint t = 0; t < kTurns; ++t) {
    const uint at = min(position + t * kTeams, past - 1);
    key[t] = load_row(keys, at, item.kv_head, d);
    value[t] = load_row(values, at, item.kv_head, d);
  }
}

void attend_item(Item item, uint positions, uint layer) {
  const uint keys = 8 * layer * cache_half_units(p, row_words(p.head_dim));
  const uint values = keys + 4 * cache_half_units(p, row_words(p.head_dim));
  const uint mail = mail_of(layer);
  const uint team = self / kTeam;
  const bool has_lane = self % kTeam * kWidth < p.head_dim;
  const uint d = has_lane ? self % kTeam * kWidth : 0;
  const bool has_own = item.end == positions;
  const uint past = has_own ? item.end - 1 : item.end;
  Row key[kTurns];
  Row value[kTurns];
  if (item.begin < past) load_rows(item, keys, values, item.begin + team, past, d, key, value);
#if defined(ROTOR_INT8ROW)
  if (gl_LocalInvocationID.x < 2) row_tops[gl_LocalInvocationID.x] = 0;
#endif
  barrier();  // the heads of an item before are no longer read
  receive_heads(item, mail + 4 * mailed.qkv, has_own);
  barrier();
  turn_heads(item, keys, values, has_own);
  barrier();
  const float scale = has_lane ? inversesqrt(float(p.head_dim)) : 0.0;
  top = kLowest;
  total = 0.0;
  [[unroll]] for (uint c = 0; c < 4; ++c) {
    query[c] = heads[d / 4 + c] * scale;
    sums[c] = vec4(0.0);
  }
  if (has_own) {  // all teams compute it, the last takes it in
    float score = 0.0;
    [[unroll]] for (uint c = 0; c < 4; ++c) score += dot(heads[(p.head_dim + d) / 4 + c], query[c]);
    score = over_team(score);
    if (team == kTeams - 1) {
      top = score;
      total = 1.0;
      [[unroll]] for (uint c = 0; c < 4; ++c) sums[c] = heads[(2 * p.head_dim + d) / 4 + c];
    }
  }
  [[dont_unroll]] for (uint first = item.begin; first < past; first += kTurns * kTeams) {
    if (first != item.begin) load_rows(item, keys, values, first + team, past, d, key, value);
    float scores[kTurns];
    float highest = kLowest;
    [[unroll]] for (uint t = 0; t < kTurns; ++t) {
      vec4 products = four_of_row(key[t], 0) * query[0];
      [[unroll]] for (uint c = 1; c < 4; ++c) products += four_of_row(key[t], c) * query[c];
      scores[t] = over_team((products.x + products.y) + (products.z + products.w));
      if (first + team + t * kTeams >= past) scores[t] = uintBitsToFloat(0xFF800000u);  // -infinity
      highest = max(highest, scores[t]);
    }
    raise_top(highest);
    [[unroll]] for (uint t = 0; t < kTurns; ++t) {
      const float worth = exp(scores[t] - top);
      total += worth;
      [[unroll]] for (uint c = 0; c < 4; ++c) sums[c] += worth * four_of_row(value[t], c);
    }
  }
  send_sums(item, mail, trace_of(layer));
  if (splits > 1) add_splits(item, mail, trace_of(layer));
}

void attend(uint layer) {
  const uint positions = step_[0] + 1;
  [[dont_unroll]] for (uint i = gl_WorkGroupID.x; i < p.heads * splits; i += gl_NumWorkGroups.x) {
    attend_item(item_of(i, positions), positions, layer);
  }
}
