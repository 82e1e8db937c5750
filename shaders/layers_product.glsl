// Rows of a ternary matrix times the codes in shared memory. A team of lanes takes two rows at a time, each
// lane up to kChunk units of both. Where the work-groups together have a team for every pair of rows, all
// that they read lies in registers before the codes are there.
//
// Integers are what limits an H100 here (64 a clock, half of its floats), so they are counted: nine for
// sixteen weights.
const uint kChunk = 3;

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int packed_dot(int a, int b, spirv_literal int format);
int dot4(uint trits, uint q) { return packed_dot(int(trits), int(q), 0); }

struct Product {
  uint units;    // of the matrix in weights[]
  uint scales;   // units
  uint tasks;    // pairs of rows
  uint stride;   // from the first row of a pair to that of the next
  uint partner;  // from the first row of a pair to its second
  uint n;        // rows
  uint blocks;   // units of a row
  uint shift;    // a team has 2^shift lanes
};

// The narrowest team that has a row in one go.
uint team_shift(uint blocks) {
  uint shift = 0;
  while ((1u << shift) * kChunk < blocks && (2u << shift) <= gl_SubgroupSize) ++shift;
  return shift;
}

Product plain_product(uint units, uint scales, uint n, uint k) {
  return Product(units, scales, (n + 1) / 2, 2, 1, n, row_units(k), team_shift(row_units(k)));
}

// Rows r and n + r belong together.
Product gated_product(uint units, uint scales, uint n, uint k) {
  return Product(units, scales, n, 1, n, 2 * n, row_units(k), team_shift(row_units(k)));
}

// Where a product goes, in units of the work: as it is, added to a vector, or gate and up made one.
const uint kStore = 0;
const uint kAddTo = 1;
const uint kGate = 2;
struct Output {
  uint kind;
  uint units;
  NormInput base;
};

uvec4 fetched[2][kChunk];  // of both rows
vec2 fetched_scale;        // of the rows
vec2 fetched_base;         // what is added to their products

uint team_lane(Product m) { return self & ((1u << m.shift) - 1); }

void fetch_units(Product m, uint task, uint begin) {
  const uint row = m.units + task * m.stride * m.blocks;
  const uint partner = row + m.partner * m.blocks;  // rows are padded to 16: there is one
  [[unroll]] for (uint c = 0; c < kChunk; ++c) {
    const uint block = begin + team_lane(m) + (c << m.shift);
    const bool is_there = block < m.blocks;
    fetched[0][c] = is_there ? weights[row + block] : uvec4(0);
    fetched[1][c] = is_there ? weights[partner + block] : uvec4(0);
  }
}

void fetch_task(Product m, Output o, uint task) {
  const uint row = task * m.stride;
  fetch_units(m, task, 0);
  fetched_scale = vec2(scales[4 * m.scales + row], scales[4 * m.scales + min(row + m.partner, m.n - 1)]);
  if (o.kind == kAddTo) {
    const vec4 four = four_of(o.base, row / 4);
    fetched_base = row % 4 == 0 ? four.xy : four.zw;
  }
}

// Tasks go round the work-groups, so that each gets as many as another.
uint first_task(Product m) {
  const bool has_none = is_keeper() && subgroups > 1;
  const uint team = (self - (has_none || subgroups == 1 ? 0 : gl_SubgroupSize)) >> m.shift;
  return has_none ? m.tasks : gl_WorkGroupID.x + gl_NumWorkGroups.x * team;
}

void fetch_first_task(Product m, Output o) {
  if (first_task(m) < m.tasks) fetch_task(m, o, first_task(m));
}

// Adds sixteen columns. Two bits of a byte where they lie, without a shift, stand for 1, 4 or 16 times a
// code: sums of each kind are kept apart. The upper two are shifted, or they would be a sign.
ivec3 add_dot16(ivec3 acc, uint word, uvec4 q) {
  acc.x += dot4(word & 0x03030303u, q.x) + dot4((word >> 6) & 0x03030303u, q.w);
  acc.y += dot4(word & 0x0C0C0C0Cu, q.y);
  acc.z += dot4(word & 0x30303030u, q.z);
  return acc;
}
int unscaled(ivec3 acc) { return acc.x + (acc.y >> 2) + (acc.z >> 4); }

// The contract's epilogue: these multiplications in this order.
float scaled(int acc, float row_scale) {
  precise float scale = row_scale * code_scale;
  precise float value = float(acc - code_sum) * scale;
  return value;
}

void store(Product m, Output o, uint task, ivec2 acc) {
  const vec2 pair = vec2(scaled(acc.x, fetched_scale.x), scaled(acc.y, fetched_scale.y));
  if (o.kind == kGate) {
    const float gate = pair.x < 0.0 ? 0.0 : pair.x;  // a NaN stays
    precise float inner = gate * gate * pair.y;
    work[4 * o.units + task] = inner;
  } else {
    const uint row = task * m.stride;
    precise vec2 added = fetched_base + pair;
    const vec2 sum = o.kind == kAddTo ? added : pair;
    work[4 * o.units + row] = sum.x;
    if (row + 1 < m.n) work[4 * o.units + row + 1] = sum.y;
  }
}

void multiply(Product m, Output o) {
  const uint step = gl_NumWorkGroups.x * ((workers() * gl_SubgroupSize) >> m.shift);
  const uint first = first_task(m);
  for (uint task = first; task < m.tasks; task += step) {
    if (task != first) fetch_task(m, o, task);
    ivec3 acc = ivec3(0);
    ivec3 partner_acc = ivec3(0);
    for (uint begin = 0; begin < m.blocks; begin += kChunk << m.shift) {
      if (begin != 0) fetch_units(m, task, begin);
      [[unroll]] for (uint c = 0; c < kChunk; ++c) {
        const uint block = begin + team_lane(m) + (c << m.shift);
        if (block < m.blocks) {
          [[unroll]] for (uint i = 0; i < 4; ++i) {
            const uvec4 q = codes[i * m.blocks + block];
            acc = add_dot16(acc, fetched[0][c][i], q);
            partner_acc = add_dot16(partner_acc, fetched[1][c][i], q);
          }
        }
      }
    }
    ivec2 sums = ivec2(unscaled(acc), unscaled(partner_acc));
    for (uint width = (1u << m.shift) / 2; width > 0; width /= 2) {
      sums += ivec2(subgroupShuffleXor(sums.x, width), subgroupShuffleXor(sums.y, width));
    }
    if (team_lane(m) == 0) store(m, o, task, sums);
  }
}
