// Rows of a ternary matrix times the codes in shared memory. A team of lanes takes two rows at a time, each
// lane up to kChunk units of both. Where the work-groups together have a team for every pair of rows, all
// that they read lies in registers before the codes are there; else a unit that was used makes room for the
// next.
//
// Integers are what limits an H100 here (64 a clock, half of its floats), so they are counted: nine for
// sixteen weights.
const uint kChunk = 5;

const uint kLeastShift = 3;  // a team has at least so many lanes: their sums need no question then
const uint kMostShift = 7;   // subgroups have up to 128 lanes

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

// The narrowest team that has a row in one go; or one half as wide where only such are enough for all tasks.
uint team_shift(uint blocks, uint tasks, uint members) {
  uint shift = kLeastShift;
  [[dont_unroll]] while ((1u << shift) * kChunk < blocks && (2u << shift) <= gl_SubgroupSize) ++shift;
  const uint teams = members * (kInvocations >> shift);
  return shift > kLeastShift && teams < tasks && 2 * teams >= tasks ? shift - 1 : shift;
}

Product plain_product(uint units, uint scales, uint n, uint k, uint members) {
  const uint tasks = (n + 1) / 2;
  return Product(units, scales, tasks, 2, 1, n, row_units(k), team_shift(row_units(k), tasks, members));
}

// Rows r and n + r belong together.
Product gated_product(uint units, uint scales, uint n, uint k, uint members) {
  return Product(units, scales, n, 1, n, 2 * n, row_units(k), team_shift(row_units(k), n, members));
}

// Where a product goes: as it is, added to a vector, or gate and up made one.
const uint kStore = 0;
const uint kAddTo = 1;
const uint kGate = 2;
struct Output {
  uint kind;
  uint mail;   // words
  uint trace;  // floats
  NormInput base;
};

// The work-groups that share a product, and which of them this is.
struct Members {
  uint number;
  uint count;
};

uvec4 fetched[2][kChunk];  // of both rows
vec2 fetched_scale;        // of the rows

uint team_lane(Product product) { return self & ((1u << product.shift) - 1); }

void fetch_unit(Product product, uint task, uint begin, uint c) {
  const uint row = product.units + task * product.stride * product.blocks;
  const uint partner = row + product.partner * product.blocks;  // rows are padded to 16: there is one
  const uint block = begin + team_lane(product) + (c << product.shift);
  const bool is_there = task < product.tasks && block < product.blocks;
  fetched[0][c] = is_there ? weights[row + block] : uvec4(0);
  fetched[1][c] = is_there ? weights[partner + block] : uvec4(0);
}

vec2 scale_of(Product product, uint task) {
  const uint row = task * product.stride;
  const uint partner = min(row + product.partner, product.n - 1);
  return vec2(scales[4 * product.scales + row], scales[4 * product.scales + partner]);
}

// Tasks go round the work-groups, so that each gets as many as another.
uint first_task(Product product, Members members) {
  return members.number + members.count * (self >> product.shift);
}

void fetch_first_task(Product product, Members members) {
  const uint task = first_task(product, members);
  [[unroll]] for (uint c = 0; c < kChunk; ++c) fetch_unit(product, task, 0, c);
  fetched_scale = scale_of(product, min(task, product.tasks - 1));  // a question first would be waited for
}

// Adds sixteen columns. Two bits of a byte where they lie, without a shift, stand for 1, 4 or 16 times a
// code: sums of each kind are kept apart. The upper two are shifted, or they would be a sign, and have a sum
// of their own so that none waits for another.
ivec4 add_dot16(ivec4 acc, uint word, uvec4 q) {
  acc.x += dot4(q.x, word & 0x03030303u);
  acc.y += dot4(q.y, word & 0x0C0C0C0Cu);
  acc.z += dot4(q.z, word & 0x30303030u);
  acc.w += dot4(q.w, (word >> 6) & 0x03030303u);
  return acc;
}
int unscaled(ivec4 acc) { return acc.x + (acc.y >> 2) + (acc.z >> 4) + acc.w; }

// The contract's epilogue: these multiplications in this order.
float scaled(int acc, float row_scale) {
  precise float scale = row_scale * code_scale;
  precise float value = float(acc - code_sum) * scale;
  return value;
}

void emit(Output o, uint row, float value) {
  send(o.mail, row, value);
  trace[o.trace + row] = value;
}

// What is added to row `row`, as far as it is there.
uint look_base(NormInput base, uint row) {
  if (base.is_x) return sent(x[row / 4])[row % 4];
  return look(base.mail + mail_word(row));
}

// By the first two lanes of a team, a row each; by the first where the two make one value.
void store(Product product, Output o, uint task, uint lane, ivec2 acc, uint base) {
  const vec2 pair = vec2(scaled(acc.x, fetched_scale.x), scaled(acc.y, fetched_scale.y));
  float value = lane == 0 ? pair.x : pair.y;
  uint row = task * product.stride + lane;
  if (o.kind == kGate) {
    const float gate = pair.x < 0.0 ? 0.0 : pair.x;  // a NaN stays
    precise float inner = gate * gate * pair.y;
    value = inner;
    row = task;
  } else if (o.kind == kAddTo) {
    precise float added = wait_word(base, o.base.mail + mail_word(row)) + value;
    value = added;
  }
  if (row < product.n && (o.kind != kGate || lane == 0)) emit(o, row, value);
}

// The first task was fetched.
void multiply(Product product, Output o, Members members) {
  const uint step = members.count * (kInvocations >> product.shift);
  uint task = first_task(product, members);
  uint begin = 0;
  ivec4 acc = ivec4(0);
  ivec4 partner_acc = ivec4(0);
  [[dont_unroll]] while (task < product.tasks) {
    uint next_task = task;
    uint next_begin = begin + (kChunk << product.shift);
    if (next_begin >= product.blocks) {
      next_begin = 0;
      next_task += step;
    }
    const bool is_last = next_begin == 0;
    const uint lane = team_lane(product);
    const bool stores = is_last && lane < 2;
    uint base = 0;
    if (stores && o.kind == kAddTo) base = look_base(o.base, min(task * product.stride + lane, product.n - 1));
    [[unroll]] for (uint c = 0; c < kChunk; ++c) {
      const uint block = begin + lane + (c << product.shift);
      if (block < product.blocks) {
        [[unroll]] for (uint i = 0; i < 4; ++i) {
          const uvec4 q = codes[i * product.blocks + block];
          acc = add_dot16(acc, fetched[0][c][i], q);
          partner_acc = add_dot16(partner_acc, fetched[1][c][i], q);
        }
      }
      fetch_unit(product, next_task, next_begin, c);
    }
    if (is_last) {
      ivec2 sums = ivec2(unscaled(acc), unscaled(partner_acc));
      acc = ivec4(0);
      partner_acc = ivec4(0);
      [[unroll]] for (uint bit = 0; bit < kMostShift; ++bit) {
        if (bit < kLeastShift || (1u << bit < gl_SubgroupSize && bit < product.shift)) {
          sums += ivec2(subgroupShuffleXor(sums.x, 1u << bit), subgroupShuffleXor(sums.y, 1u << bit));
        }
      }
      if (stores) store(product, o, task, lane, sums, base);
      if (next_task < product.tasks) fetched_scale = scale_of(product, next_task);
    }
    task = next_task;
    begin = next_begin;
  }
}
