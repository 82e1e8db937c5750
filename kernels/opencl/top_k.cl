// The largest logits of a part, a group each: found one after the other, each the best of those behind
// the one before. Few are wanted and a part is small, so it is read from the cache again.
#include "kernels/opencl/common.clh"

#define ROTOR_NONE 0xFFFFFFFFu
#define ROTOR_MINUS_INFINITY 0xFF800000u

// x: rank, y: id.
typedef uint2 Place;

// Orders as floats do, with +0 = -0, and NaN above all.
uint rank_of(uint bits) {
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0xFFFFFFFFu;
  if (bits == 0x80000000u) return 0x80000000u;
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// No id comes after all others.
bool comes_before(Place a, Place b) {
  if (a.y == ROTOR_NONE || b.y == ROTOR_NONE) return b.y == ROTOR_NONE && a.y != ROTOR_NONE;
  return a.x > b.x || (a.x == b.x && a.y < b.y);
}

Place best_of_group(Place mine, __local Place* places) {
  const uint i = get_local_id(0);
  places[i] = mine;
  for (uint step = ROTOR_LOCAL / 2; step > 0; step /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i < step && comes_before(places[i + step], places[i])) places[i] = places[i + step];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const Place best = places[0];
  barrier(CLK_LOCAL_MEM_FENCE);
  return best;
}

ROTOR_KERNEL top_k(__global const uint* logits,  // [n], bits of floats
                   __global uint* best,          // [parts, count, 2]
                   const TopKParams p) {
  __local Place places[ROTOR_LOCAL];
  const uint part = get_group_id(0);
  const uint begin = part * p.width;
  const uint end = begin + min(p.width, p.n - begin);
  Place last = (Place)(0, ROTOR_NONE);
  for (uint found = 0; found < p.count; ++found) {
    Place top = (Place)(0, ROTOR_NONE);
    for (uint id = begin + get_local_id(0); id < end; id += ROTOR_LOCAL) {
      const Place mine = (Place)(rank_of(logits[id]), id);
      if ((found == 0 || comes_before(last, mine)) && comes_before(mine, top)) top = mine;
    }
    last = best_of_group(top, places);
    if (get_local_id(0) == 0) {
      const uint at = 2 * (part * p.count + found);
      best[at] = last.y;
      best[at + 1] = last.y == ROTOR_NONE ? ROTOR_MINUS_INFINITY : logits[last.y];
    }
  }
}
