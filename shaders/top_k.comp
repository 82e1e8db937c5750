#version 450
// The largest logits of a part, a work-group each: found one after the other, each the best of those
// behind the one before. Few are wanted and a part is small, so it is read from the cache again.
#include "shaders/common.glsl"

layout(push_constant) uniform Push { TopKParams p; };
layout(binding = 0, std430) readonly restrict buffer Logits { uint logits[]; };  // [n], bits of floats
layout(binding = 1, std430) writeonly restrict buffer Best { uint best[]; };     // [parts, count, 2]

const uint kNone = 0xFFFFFFFFu;
const uint kMinusInfinity = 0xFF800000u;

shared uint part_rank[kInvocations];
shared uint part_id[kInvocations];

// Orders as floats do, with +0 = -0, and NaN above all.
uint rank(uint bits) {
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0xFFFFFFFFu;
  if (bits == 0x80000000u) return 0x80000000u;
  return (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
}

// No id comes after all others.
bool before(uint a_rank, uint a, uint b_rank, uint b) {
  if (a == kNone || b == kNone) return b == kNone && a != kNone;
  return a_rank > b_rank || (a_rank == b_rank && a < b);
}

// Leaves the best of all invocations in place 0.
void reduce(uint my_rank, uint id) {
  const uint i = gl_LocalInvocationID.x;
  barrier();
  part_rank[i] = my_rank;
  part_id[i] = id;
  barrier();
  for (uint width = kInvocations / 2; width > 0; width /= 2) {
    if (i < width && before(part_rank[i + width], part_id[i + width], part_rank[i], part_id[i])) {
      part_rank[i] = part_rank[i + width];
      part_id[i] = part_id[i + width];
    }
    barrier();
  }
}

void main() {
  const uint part = gl_WorkGroupID.y;
  const uint begin = part * p.width;
  const uint end = begin + min(p.width, p.n - begin);
  uint last_rank = 0;
  uint last = kNone;
  for (uint found = 0; found < p.count; ++found) {
    uint top_rank = 0;
    uint top = kNone;
    for (uint id = begin + gl_LocalInvocationID.x; id < end; id += kInvocations) {
      const uint mine = rank(logits[id]);
      const bool left = found == 0 || before(last_rank, last, mine, id);
      if (left && before(mine, id, top_rank, top)) {
        top_rank = mine;
        top = id;
      }
    }
    reduce(top_rank, top);
    last_rank = part_rank[0];
    last = part_id[0];
    if (gl_LocalInvocationID.x == 0) {
      const uint at = 2 * (part * p.count + found);
      best[at] = last;
      best[at + 1] = last == kNone ? kMinusInfinity : logits[last];
    }
  }
}
