// Attention of kTokens queries of one head: keys and values of kBlock positions at a time lie in shared
// memory, for all of them. Online softmax as in attention.glsl; rows past the last position are never
// read. Each invocation computes 2 x 2 scores, and an eighth of the result of one query.
#include "shaders/attention_io.glsl"

const uint kBlock = 32;              // positions at a time
const uint kPiece = 64;              // elements of a head at a time: all fits into 16 KB
const uint kMaxPieces = 4;           // the device refuses wider heads
const uint kPitch = kPiece / 4 + 1;  // fours from one row to the next, so that rows lie in other banks
const uint kOwners = 8;              // invocations that share a query: kInvocations = 8 * kTokens
const uint kOwned = kPiece / 4 / kOwners;  // fours of a piece that an invocation adds up

shared vec4 queries[kTokens * kPitch];
shared vec4 rows[kBlock * kPitch];  // of keys, then of values
shared float scores[kTokens * (kBlock + 1)];

void load_queries(uint first_token, uint head, uint piece) {
  for (uint i = gl_LocalInvocationID.x; i < kTokens * kPiece / 4; i += kInvocations) {
    const uint t = first_token + i / (kPiece / 4);
    const uint d = 4 * (i % (kPiece / 4));
    queries[i / (kPiece / 4) * kPitch + d / 4] =
        t < p.m ? query_four(t, head, piece + d) : vec4(0.0);
  }
}

// Eights of the rows of positions `first` and on; zeros for those from `positions` on, and behind the
// end of a row.
void load_rows(bool keys_wanted, uint first, uint positions, uint kv_head, uint piece) {
  for (uint i = gl_LocalInvocationID.x; i < kBlock * kPiece / 8; i += kInvocations) {
    const uint at = first + i / (kPiece / 8);
    const uint d = 8 * (i % (kPiece / 8));
    Eight e = Eight(vec4(0.0), vec4(0.0));
    if (at < positions && piece + d < p.head_dim) {
      const uint row = at * p.kv_heads + kv_head;
      if (keys_wanted) e = key_eight(row, piece + d);
      else e = value_eight(row, piece + d);
    }
    const uint to = i / (kPiece / 8) * kPitch + d / 4;
    rows[to] = e.low;
    rows[to + 1] = e.high;
  }
}

// Adds a piece of the products of two queries and two keys.
void add_scores(inout float sums[4], uint q0, uint p0) {
  for (uint d = 0; d < kPiece / 4; ++d) {
    const vec4 qa = queries[q0 * kPitch + d];
    const vec4 qb = queries[(q0 + kTokens / 2) * kPitch + d];
    const vec4 ka = rows[p0 * kPitch + d];
    const vec4 kb = rows[(p0 + kBlock / 2) * kPitch + d];
    sums[0] += dot(qa, ka);
    sums[1] += dot(qa, kb);
    sums[2] += dot(qb, ka);
    sums[3] += dot(qb, kb);
  }
}

// Positions behind a query's own count for nothing.
void put_score(uint q, uint at, float sum, uint visible) {
  scores[q * (kBlock + 1) + at] = at < visible ? sum : uintBitsToFloat(0xFF800000u);
}

void main() {
  const uint self = gl_LocalInvocationID.x;
  const uint head = group_index();
  if (head >= p.heads) return;
  const uint kv_head = head / (p.heads / p.kv_heads);
  const uint first_token = gl_WorkGroupID.y * kTokens;
  const uint before = step_[0] + first_token + 1;  // positions that the first query sees
  const uint positions = min(before + kTokens - 1, step_[0] + p.m);
  const float scale = inversesqrt(float(p.head_dim));
  const uint q0 = self / (kBlock / 2);  // scores of queries q0 and q0 + 8, positions p0 and p0 + 16
  const uint p0 = self % (kBlock / 2);
  const uint mine = self / kOwners;     // the query whose result this invocation adds up
  const uint owner = self % kOwners;

  vec4 sum[kMaxPieces * kOwned];
  [[unroll]] for (uint i = 0; i < kMaxPieces * kOwned; ++i) sum[i] = vec4(0.0);
  float top = uintBitsToFloat(0xFF800000u);  // -infinity
  float total = 0.0;
  for (uint first = 0; first < positions; first += kBlock) {
    float sums[4] = {0.0, 0.0, 0.0, 0.0};
    for (uint piece = 0; piece < p.head_dim; piece += kPiece) {
      barrier();
      load_queries(first_token, head, piece);
      load_rows(true, first, positions, kv_head, piece);
      barrier();
      add_scores(sums, q0, p0);
    }
    const uint seen = before + q0 > first ? before + q0 - first : 0;
    const uint seen_far = before + q0 + kTokens / 2 > first ? before + q0 + kTokens / 2 - first : 0;
    put_score(q0, p0, sums[0] * scale, seen);
    put_score(q0, p0 + kBlock / 2, sums[1] * scale, seen);
    put_score(q0 + kTokens / 2, p0, sums[2] * scale, seen_far);
    put_score(q0 + kTokens / 2, p0 + kBlock / 2, sums[3] * scale, seen_far);
    barrier();
    float new_top = top;
    [[unroll]] for (uint i = 0; i < kBlock; ++i) {
      new_top = max(new_top, scores[mine * (kBlock + 1) + i]);
    }
    // A query may see nothing of the first block that others see: -infinity - -infinity is no number.
    const float shrink = new_top == top ? 1.0 : exp(top - new_top);
    top = new_top;
    barrier();
    float part = 0.0;
    for (uint i = owner; i < kBlock; i += kOwners) {
      const uint at = mine * (kBlock + 1) + i;
      const float weight = before + mine > first + i ? exp(scores[at] - top) : 0.0;
      scores[at] = weight;
      part += weight;
    }
    total = total * shrink + part;
    [[unroll]] for (uint c = 0; c < kMaxPieces; ++c) {
      if (c * kPiece < p.head_dim) {
        barrier();
        load_rows(false, first, positions, kv_head, c * kPiece);
        barrier();
        [[unroll]] for (uint i = 0; i < kOwned; ++i) sum[c * kOwned + i] *= shrink;
        for (uint at = 0; at < kBlock; ++at) {
          const float weight = scores[mine * (kBlock + 1) + at];
          [[unroll]] for (uint i = 0; i < kOwned; ++i) {
            sum[c * kOwned + i] += weight * rows[at * kPitch + owner + i * kOwners];
          }
        }
      }
    }
  }
  // The parts of `total` lie with the owners of the query.
  barrier();
  scores[mine * (kBlock + 1) + owner] = total;
  barrier();
  total = 0.0;
  [[unroll]] for (uint i = 0; i < kOwners; ++i) total += scores[mine * (kBlock + 1) + i];
  const uint t = first_token + mine;
  if (t >= p.m) return;
  [[unroll]] for (uint i = 0; i < kMaxPieces * kOwned; ++i) {
    const uint d = i / kOwned * kPiece + 4 * (owner + i % kOwned * kOwners);
    store_four(t, head, d, sum[i] / total);
  }
}
