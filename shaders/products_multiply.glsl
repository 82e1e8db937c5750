// Rows of a ternary matrix times the codes in shared memory. Rows go by fours, whose codes share a word of the
// mail; a team of 2^shift lanes has a row, or two that make one code, and takes kUnits units a lane at a time: an
// item. Weights of one item lie in registers or are on their way there: what was used makes room for the next, of
// this product or the one behind it.
//
// Instructions are what limits an H100 here, and those that are gone through once a product most of all: without
// waiting, reading weights and multiplying, the rest took two thirds of the time. So there is one copy of each
// step and no bounds, but codes of zero behind the last. (Four items in registers, with a copy of each step for
// every one: 600 us in place of 455; two: 537.)
const uint kUnits = 5;  // 8 took 3 % longer on an H100
const uint kLeastShift = 2;
const uint kMostShift = 5;

struct Product {
  uint units;   // of the matrix in weights[], of layer 0
  uint blocks;  // units of a row
  uint rows;
  uint halves;   // rows that make one code
  uint partner;  // from the first of them to the second
  uint quads;    // fours of codes
  uint mail;     // of layer 0, in words
  uint inputs;   // fours of codes
  uint zeros;    // fours of them behind these, which teams read
  int factor;    // requantise_factor()
  uint shift;    // a team has 2^shift lanes
  uint items;    // of a team of this work-group
};
shared Product plan[4];
shared uint layer_units;  // of weights
shared uint layer_mail;   // words

const uint kMaxBlocks = 7168 / 64 + 32;  // can_run_products() refuses wider inputs; zeros
const uint kMaxSubgroups = 128;

// A block of 64 codes has four, and one that is left out: invocations with neighbouring blocks then read from
// different banks.
const uint kBlockStride = 5;
shared uvec4 codes[kMaxBlocks * kBlockStride];

uint self;  // within the work-group, in the order of subgroups and their lanes
int code_sum;

uint quotient_up(uint a, uint b) { return (a + b - 1) / b; }

// The width of teams with which a multiprocessor, which issues from four parts of its subgroups, is done first. A
// subgroup of its own is half as fast as two in a part.
uint team_shift(uint blocks, uint quads, uint halves) {
  uint best = kLeastShift;
  uint least_cost = 0xFFFFFFFFu;
  [[dont_unroll]] for (uint shift = kLeastShift; shift <= kMostShift; ++shift) {
    if (1u << shift > gl_SubgroupSize || (4u << shift) > kInvocations) break;
    const uint tasks = quotient_up(quads << (shift + 2), gl_SubgroupSize);  // of subgroups
    const uint rounds = quotient_up(tasks, kInvocations / gl_SubgroupSize);
    const uint cost = max(quotient_up(tasks, 4), 2 * rounds) * halves * quotient_up(blocks, 1u << shift) + rounds;
    if (cost <= least_cost) {
      least_cost = cost;
      best = shift;
    }
  }
  return best;
}

Product plan_product(uint kind) {
  Product product;
  const uint k = product_inputs(p, kind);
  product.units = product_units(p, kind);
  product.blocks = row_units(k);
  product.rows = product_rows(p, kind);
  product.halves = kind == 2 ? 2 : 1;
  product.partner = p.ffn;
  product.quads = kind == 2 ? p.ffn / 4 : (product.rows + 3) / 4;
  product.mail = product_mail(p, kind);
  product.inputs = k / 4;
  product.factor = int(requantise_factor(k));
  const uint number = gl_WorkGroupID.x;
  const uint quads = number < product.quads ? quotient_up(product.quads - number, gl_NumWorkGroups.x) : 0;  // its own
  product.shift = team_shift(product.blocks, quads, product.halves);
  // (glslc makes something else of -blocks & mask.)
  product.zeros = 16 * ((quotient_up(product.blocks, 1u << product.shift) << product.shift) - product.blocks);
  const uint rounds = quotient_up(4 * quads, kInvocations >> product.shift);
  product.items = rounds * product.halves * quotient_up(product.blocks, kUnits << product.shift);
  return product;
}

void make_plan() {
  if (gl_LocalInvocationID.x < 4) plan[gl_LocalInvocationID.x] = plan_product(gl_LocalInvocationID.x);
  if (gl_LocalInvocationID.x == 0) {
    layer_units = product_units(p, 4);
    layer_mail = product_mail(p, 4);
  }
  barrier();
}

uint mail_of(uint number) { return 4 * kMeetUnits + number / 4 * layer_mail + plan[number % 4].mail; }

uvec4 fetched[kUnits];
ivec4 acc;

// An item of a team: part of a row.
struct Place {
  uint round;
  uint half_;  // which of the rows that make one code
  uint begin;  // of its units
};

Place behind(Place at, Product product) {
  at.begin += kUnits << product.shift;
  if (at.begin >= product.blocks) {
    at.begin = 0;
    at.half_ += 1;
    if (at.half_ == product.halves) {
      at.half_ = 0;
      at.round += 1;
    }
  }
  return at;
}

// The four of rows that a team has in a round.
uint quad_of(Product product, uint round) {
  const uint team = self >> product.shift;
  return gl_WorkGroupID.x + gl_NumWorkGroups.x * ((round * (kInvocations >> product.shift) + team) / 4);
}

// A team without a row takes the last: nobody takes its sums. What lies behind a row is multiplied with zeros.
void fetch(Product product, uint units, Place at) {
  const uint quad = min(quad_of(product, at.round), product.quads - 1);
  const uint row = 4 * quad + (self >> product.shift) % 4 + at.half_ * product.partner;
  const uint first = units + row * product.blocks + at.begin + (self & ((1u << product.shift) - 1));
  const uint left = product.blocks - at.begin;
  [[unroll]] for (uint c = 0; c < kUnits; ++c) {
    if ((c << product.shift) < left) fetched[c] = weights[first + (c << product.shift)];
  }
}

void dot_unit(const uint c, uint at) {
  [[unroll]] for (uint i = 0; i < 4; ++i) acc = add_dot16(acc, fetched[c][i], codes[at + i]);
}

// Units are named one by one: arrays that a loop goes through lie in memory on an H100.
void dot_item(Product product, uint begin) {
  const uint first = kBlockStride * (begin + (self & ((1u << product.shift) - 1)));
  const uint stride = kBlockStride << product.shift;
  const uint left = product.blocks - begin;
  dot_unit(0, first);
  if ((1u << product.shift) < left) dot_unit(1, first + stride);
  if ((2u << product.shift) < left) dot_unit(2, first + 2 * stride);
  if ((3u << product.shift) < left) dot_unit(3, first + 3 * stride);
  if ((4u << product.shift) < left) dot_unit(4, first + 4 * stride);
}

// The first item of a product.
void fetch_first(uint number) {
  const Product product = plan[number % 4];
  if (product.items > 0) fetch(product, number / 4 * layer_units + product.units, Place(0, 0, 0));
}

uint first_code;  // of two that make one

// A row of a team is done: its sum, or its code in a word with its neighbours', goes where it is waited for.
void send_row(Product product, uint mail, Place at, bool is_last) {
  const uint shift = product.shift;
  int sum = unscaled(acc);
  acc = ivec4(0);
  [[unroll]] for (uint bit = 0; bit < kMostShift; ++bit) {
    if (bit < kLeastShift || bit < shift) sum += subgroupShuffleXor(sum, 1u << bit);
  }
  sum -= code_sum;
  const uint quad = quad_of(product, at.round);
  const uint of_quad = (self >> shift) % 4;
  const bool is_there = quad < product.quads;
  const bool is_row = 4 * quad + of_quad < product.rows;
  if (is_last) {
    if (is_there && is_row && (self & ((1u << shift) - 1)) == 0) sums[4 * quad + of_quad] = sum;
    return;
  }
  uint code = uint(clamp((sum * product.factor + 32768) >> 16, -64, 63)) & 0x7Fu;
  if (at.half_ + 1 < product.halves) {
    first_code = code;
    return;
  }
  if (product.halves == 2) code ^= first_code;
  uint word = ((is_row ? code : 0) | 0x80u) << (8 * of_quad);
  const bool has_two = 2u << shift <= gl_SubgroupSize;
  const bool has_four = 4u << shift <= gl_SubgroupSize;
  if (has_two) word |= subgroupShuffleXor(word, 1u << shift);
  if (has_four) word |= subgroupShuffleXor(word, 2u << shift);
  const uint lanes = has_four ? 4u << shift : has_two ? 2u << shift : 1u << shift;
  if (is_there && (self & (lanes - 1)) == 0) {
    atomicOr(words[mail + quad], word, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
  }
}

// Product `number`, whose first item was fetched. What was used makes room for the next item, of this product or
// the one behind it.
void multiply(uint number, bool has_next) {
  const Product product = plan[number % 4];
  const uint units = number / 4 * layer_units + product.units;
  const uint mail = mail_of(number);
  Place at = Place(0, 0, 0);
  acc = ivec4(0);
  [[dont_unroll]] for (uint item = 1; item <= product.items; ++item) {
    dot_item(product, at.begin);
    const Place after = behind(at, product);
    if (item < product.items) fetch(product, units, after);
    if (after.begin == 0) send_row(product, mail, at, !has_next);
    at = after;
  }
  if (has_next) fetch_first(number + 1);
}
