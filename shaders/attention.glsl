// Attention of one query: one work-group a (head, token). Online softmax over blocks of positions
// (Milakov, Gimelshein: "Online normalizer calculation for softmax", 2018); rows past the last
// position are never read. Within a block kShare invocations share the score of a position; then every
// invocation adds eight elements of the values of its own slice of the positions, and the slices are
// added up at the end.
#include "shaders/attention_io.glsl"
#include "shaders/group.glsl"

const uint kShare = 8;     // invocations that share a position's score, each with every eighth eight
const uint kAhead = 4;     // values on their way at a time
const uint kMaxDim = 256;  // the device refuses wider heads
const uint kTurns = 4;     // positions of a block that an invocation scores
const uint kBlock = kTurns * kInvocations / kShare;  // positions at a time
const uint kPadded = kBlock + 1;
const uint kScratch = kShare * kPadded > 4 * kInvocations ? kShare * kPadded : 4 * kInvocations;

shared vec4 query[kMaxDim / 4];
shared float weights[kBlock];
shared float scratch[kScratch];  // [kShare][kPadded] parts of scores; then slices of the result

// The position within the block that the invocation scores in turn i.
uint place_of(uint i) { return (i * kInvocations + gl_LocalInvocationID.x) / kShare; }

// Parts of the scores of the positions from `first` on; those from `last` on repeat the last one, so
// that all loads are on their way before the first is used.
void score_parts(uint first, uint last, uint kv_head) {
  const uint share = gl_LocalInvocationID.x % kShare;
  float sums[kTurns];
  [[unroll]] for (uint i = 0; i < kTurns; ++i) sums[i] = 0.0;
  for (uint d = 8 * share; d < p.head_dim; d += 8 * kShare) {
    Eight key[kTurns];
    [[unroll]] for (uint i = 0; i < kTurns; ++i) {
      const uint at = min(first + place_of(i), last);
      key[i] = key_eight(at * p.kv_heads + kv_head, d);
    }
    [[unroll]] for (uint i = 0; i < kTurns; ++i) {
      sums[i] += dot(key[i].low, query[d / 4]) + dot(key[i].high, query[d / 4 + 1]);
    }
  }
  [[unroll]] for (uint i = 0; i < kTurns; ++i) scratch[share * kPadded + place_of(i)] = sums[i];
}

// The scores of the block into weights[]; the largest that this invocation has seen.
float gather_scores(uint count, float scale) {
  float top = uintBitsToFloat(0xFF800000u);  // -infinity
  for (uint i = gl_LocalInvocationID.x; i < count; i += kInvocations) {
    float sum = 0.0;
    [[unroll]] for (uint s = 0; s < kShare; ++s) sum += scratch[s * kPadded + i];
    weights[i] = sum * scale;
    top = max(top, weights[i]);
  }
  return top;
}

// Adds the slices up, halving their number until one is left: that of the first invocations.
Eight add_slices(Eight mine, uint slice, uint slices, uint column, uint columns) {
  while (slices > 1) {
    const uint kept = (slices + 1) / 2;
    barrier();
    // Components lie apart, so that neighbours write to neighbouring banks.
    const uint pitch = (slices - kept) * columns;
    if (slice >= kept && slice < slices) {
      const uint to = (slice - kept) * columns + column;
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        scratch[to + i * pitch] = mine.low[i];
        scratch[to + (4 + i) * pitch] = mine.high[i];
      }
    }
    barrier();
    if (slice + kept < slices) {
      const uint from = slice * columns + column;
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        mine.low[i] += scratch[from + i * pitch];
        mine.high[i] += scratch[from + (4 + i) * pitch];
      }
    }
    slices = kept;
  }
  return mine;
}

void main() {
  const uint t = gl_WorkGroupID.y;
  const uint head = group_index();
  if (head >= p.heads) return;
  const uint kv_head = head / (p.heads / p.kv_heads);
  const uint positions = step_[0] + t + 1;
  const float scale = inversesqrt(float(p.head_dim));
  // Slices of the positions, and eights of the head.
  const uint columns = (p.head_dim + 7) / 8;
  const uint slices = kInvocations / columns;
  const uint column = gl_LocalInvocationID.x % columns;
  const uint slice = gl_LocalInvocationID.x / columns;
  for (uint d = gl_LocalInvocationID.x; d < 2 * columns; d += kInvocations) {
    query[d] = query_four(t, head, 4 * d);
  }
  Eight sum = Eight(vec4(0.0), vec4(0.0));
  float top = uintBitsToFloat(0xFF800000u);  // -infinity
  float total = 0.0;                         // of the weights of this invocation
  for (uint first = 0; first < positions; first += kBlock) {
    const uint count = min(kBlock, positions - first);
    barrier();
    score_parts(first, positions - 1, kv_head);
    barrier();
    const float new_top = max(top, max_over_group(gather_scores(count, scale)));
    const float shrink = exp(top - new_top);
    top = new_top;
    total *= shrink;
    for (uint i = gl_LocalInvocationID.x; i < kBlock; i += kInvocations) {
      weights[i] = i < count ? exp(weights[i] - top) : 0.0;
      total += weights[i];
    }
    barrier();
    sum.low *= shrink;
    sum.high *= shrink;
    for (uint i = slice; i < count && slice < slices; i += kAhead * slices) {
      Eight value[kAhead];
      [[unroll]] for (uint a = 0; a < kAhead; ++a) {
        const uint at = min(first + i + a * slices, positions - 1);
        value[a] = value_eight(at * p.kv_heads + kv_head, 8 * column);
      }
      [[unroll]] for (uint a = 0; a < kAhead; ++a) {
        const uint at = i + a * slices;
        const float weight = at < count ? weights[at] : 0.0;
        sum.low += weight * value[a].low;
        sum.high += weight * value[a].high;
      }
    }
  }
  total = sum_over_group(total);
  sum = add_slices(sum, slice, slices, column, columns);
  if (slice != 0) return;
  store_four(t, head, 8 * column, sum.low / total);
  store_four(t, head, 8 * column + 4, sum.high / total);
}
