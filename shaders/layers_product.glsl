// Rows of a ternary matrix times the codes in shared memory. A team of lanes takes two rows at a time, each
// lane up to kChunk units of both. Where the work-groups together have a team for every pair of rows, all
// that they read lies in registers before the codes are there; else a unit that was used makes room for the
// next.
//
// Integers are what limits an H100 here (64 a clock, half of its floats), so they are counted: nine for
// sixteen weights.
const uint kChunk = 5;

const uint kLeastShift = 3;  // a team has at least so many lanes: their sums need no question then
const uint kRowCost = 2;     // of two rows, in units of a lane
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

// The team with the least to do: units of its lanes, and what every two rows cost beside them.
uint team_shift(uint blocks, uint tasks, uint members) {
  uint best = kLeastShift;
  uint least = 0xFFFFFFFFu;
  [[dont_unroll]] for (uint shift = kLeastShift; 1u << shift <= gl_SubgroupSize; ++shift) {
    const uint teams = members * (kInvocations >> shift);
    const uint units = (blocks + (1u << shift) - 1) >> shift;
    const uint cost = (tasks + teams - 1) / teams * (units + kRowCost);
    if (cost < least) {
      least = cost;
      best = shift;
    }
  }
  return best;
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
  uint base;   // words: the mail of what is added to
};

// The work-groups that share a product, and which of them this is.
struct Members {
  uint number;
  uint count;
};

uint team_lane(Product product) { return self & ((1u << product.shift) - 1); }

// Tasks go round the work-groups, so that each gets as many as another.
uint first_task(Product product, Members members) {
  return members.number + members.count * (self >> product.shift);
}

// What a lane reads of a pair of rows: units at, at + 2^shift, ... of the first, and as far behind in the second.
struct Piece {
  uint at;
  uint partner;
  uint count;  // at most kChunk; 0 where there is no such task
};

Piece piece_of(Product product, uint task, uint begin) {
  const uint block = begin + team_lane(product);
  const uint at = product.units + task * product.stride * product.blocks + block;
  const uint rest = product.blocks - min(block, product.blocks) + (1u << product.shift) - 1;
  return Piece(at, at + product.partner * product.blocks,  // rows are padded to 16: there is one
               task < product.tasks ? min(rest >> product.shift, kChunk) : 0);
}

uvec4 fetched[2][kChunk];  // of both rows
float fetched_scale;       // of the first row in even lanes, of the second in odd ones

void fetch_unit(Product product, Piece piece, uint c) {
  const bool is_there = c < piece.count;
  fetched[0][c] = is_there ? weights[piece.at + (c << product.shift)] : uvec4(0);
  fetched[1][c] = is_there ? weights[piece.partner + (c << product.shift)] : uvec4(0);
}

uint row_of_lane(Product product, uint task) { return task * product.stride + (self & 1u) * product.partner; }

float scale_of(Product product, uint task) {
  return scales[4 * product.scales + min(row_of_lane(product, task), product.n - 1)];
}

void fetch_first_task(Product product, Members members) {
  const uint task = first_task(product, members);
  const Piece piece = piece_of(product, task, 0);
  [[unroll]] for (uint c = 0; c < kChunk; ++c) fetch_unit(product, piece, c);
  fetched_scale = scale_of(product, task);  // a question first would be waited for
}

// The sum over a team of the first row in its even lanes, of the second in the odd ones.
int sum_over_team(Product product, int first, int second) {
  const bool is_second = (self & 1u) != 0;
  int sum = (is_second ? second : first) + subgroupShuffleXor(is_second ? first : second, 1);
  [[unroll]] for (uint bit = 1; bit < kMostShift; ++bit) {
    if (bit < kLeastShift || (1u << bit < gl_SubgroupSize && bit < product.shift)) {
      sum += subgroupShuffleXor(sum, 1u << bit);
    }
  }
  return sum;
}

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

// By the first two lanes of a team, a row each; by the first where the two make one value. `base` is what is
// added to, as far as it was there.
void store(Product product, Output o, uint task, float value, uint base) {
  const float up = subgroupShuffleXor(value, 1);
  const uint lane = team_lane(product);
  const uint row = o.kind == kGate ? task : row_of_lane(product, task);
  if (lane > (o.kind == kGate ? 0 : 1) || row >= product.n) return;
  if (o.kind == kGate) {
    const float gate = value < 0.0 ? 0.0 : value;  // a NaN stays
    precise float inner = gate * gate * up;
    value = inner;
  } else if (o.kind == kAddTo) {
    precise float added = wait_word(base, o.base + mail_word(row)) + value;
    value = added;
  }
  emit(o, row, value);
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
    const Piece next = piece_of(product, next_task, next_begin);
    const uint block = begin + team_lane(product);
    uint base = 0;
    if (is_last && o.kind == kAddTo) base = look(o.base + mail_word(min(row_of_lane(product, task), product.n - 1)));
    [[unroll]] for (uint c = 0; c < kChunk; ++c) {
      if (block + (c << product.shift) < product.blocks) {
        [[unroll]] for (uint i = 0; i < 4; ++i) {
          const uvec4 q = codes[i * product.blocks + block + (c << product.shift)];
          acc = add_dot16(acc, fetched[0][c][i], q);
          partner_acc = add_dot16(partner_acc, fetched[1][c][i], q);
        }
      }
      fetch_unit(product, next, c);
    }
    if (is_last) {
      const int sum = sum_over_team(product, unscaled(acc), unscaled(partner_acc));
      acc = ivec4(0);
      partner_acc = ivec4(0);
      store(product, o, task, scaled(sum, fetched_scale), base);
      if (next_task < product.tasks) fetched_scale = scale_of(product, next_task);
    }
    task = next_task;
    begin = next_begin;
  }
}
