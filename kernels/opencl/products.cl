// The products of all layers of a model for one token, in one launch, as in shaders/products.comp: work-groups
// stay on the device and mail each other their codes, four a word. They have no subgroups here: what the teams
// of a work-group summed meets in local memory.
#include "kernels/opencl/common.clh"
#include "kernels/products_layout.h"
#include "kernels/opencl/dot4.clh"
#include "kernels/opencl/meeting.clh"

#define ROTOR_UNITS 5u  // of a row, a work-item and slot: an item of work
#define ROTOR_SLOTS 4u  // items whose weights are in registers, or on their way there
#define ROTOR_LEAST_SHIFT 2u
#define ROTOR_MOST_SHIFT 5u
#define ROTOR_MOST_CODES 7168u  // can_run_products() refuses wider inputs
#define ROTOR_HELD (ROTOR_MOST_CODES / 4u / ROTOR_LOCAL)  // words of mail that a work-item takes
#define ROTOR_FOLDS 2u                                    // of them at a time
#define ROTOR_ARRIVED 0x80808080u
#define ROTOR_NOTHING ((int)0x80000000)  // in `out` where work-groups waited in vain

typedef struct {
  uint units;   // of the matrix, of layer 0
  uint blocks;  // units of a row
  uint rows;
  uint quads;   // fours of rows, whose codes share a word
  uint mail;    // of layer 0, in words
  uint inputs;  // fours of codes
  int factor;   // requantise_factor()
  uint shift;   // a team of 2^shift work-items has a row
  uint parts;   // items of a row
  uint items;   // of a team of this work-group
} Product;

// What all work-items of a group share.
typedef struct {
  Product plan[4];
  uint layer_units;  // of weights
  uint layer_mail;   // words
  uint in_vain;      // not 0: one waited in vain
  uint is_last_reader;
  int code_sums[ROTOR_LOCAL];  // of each work-item's codes
  int sixteenths[16];          // of the sum of all codes
  int partial[ROTOR_SLOTS * ROTOR_LOCAL];
  // Word 4c + i of a block of 64 codes is component i of codes[c * stride + block]. Behind the last block teams
  // may read, and multiply with weights of zero.
  uint4 codes[ROTOR_MOST_CODES / 16u + 4u * 8u + (ROTOR_UNITS << ROTOR_MOST_SHIFT)];
} Shared;

uint code_stride(uint blocks) {
  return (blocks + 5u) / 8u * 8u + 2u;
}

uint quotient_up(uint a, uint b) {
  return (a + b - 1u) / b;
}

// The width of teams for which a work-group has the least to do.
uint team_shift(uint blocks, uint quads) {
  uint best = ROTOR_LEAST_SHIFT;
  uint least = 0xFFFFFFFFu;
  for (uint shift = ROTOR_LEAST_SHIFT; shift <= ROTOR_MOST_SHIFT; ++shift) {
    if ((4u << shift) > ROTOR_LOCAL) break;
    // Of 32 work-items, of which a multiprocessor issues from four and needs two of each to be busy.
    const uint tasks = quotient_up(quads << (shift + 2u), 32u);
    const uint cost = max(2u, quotient_up(tasks, 4u)) * (quotient_up(blocks, 1u << shift) + 1u);
    if (cost < least) {
      least = cost;
      best = shift;
    }
  }
  return best;
}

Product plan_product(ProductsParams p, uint kind) {
  Product product;
  const uint k = product_inputs(p, kind);
  const uint count = get_num_groups(0);
  const uint number = get_group_id(0);
  product.units = product_units(p, kind);
  product.blocks = row_units(k);
  product.rows = product_rows(p, kind);
  product.quads = (product.rows + 3u) / 4u;
  product.mail = product_mail(p, kind);
  product.inputs = k / 4u;
  product.factor = (int)requantise_factor(k);
  const uint quads = number < product.quads ? quotient_up(product.quads - number, count) : 0u;
  product.shift = team_shift(product.blocks, quads);
  product.parts = quotient_up(product.blocks, ROTOR_UNITS << product.shift);
  product.items = quotient_up(4u * quads, ROTOR_LOCAL >> product.shift) * product.parts;
  return product;
}

uint mail_of(__local const Shared* s, uint number) {
  return 4u * kMeetUnits + number / 4u * s->layer_mail + s->plan[number % 4u].mail;
}

// The four of rows that a team has in a round.
uint quad_of(uint team, uint shift, uint round) {
  return get_group_id(0) + get_num_groups(0) * ((round * (ROTOR_LOCAL >> shift) + team) / 4u);
}

void fetch(uint4* slot, __global const uint4* weights, __local const Shared* s, uint number,
           uint item) {
  __local const Product* product = &s->plan[number % 4u];
  const uint shift = product->shift;
  const uint team = get_local_id(0) >> shift;
  const uint parts = product->parts;
  const uint round = parts == 1u ? item : item / parts;
  const uint begin = (item - round * parts) * (ROTOR_UNITS << shift);
  const uint quad = quad_of(team, shift, round);
  const uint end = quad < product->quads ? product->blocks : 0u;
  const uint first = begin + (get_local_id(0) & ((1u << shift) - 1u));
  __global const uint4* row = weights + (number / 4u * s->layer_units + product->units +
                                         (4u * quad + team % 4u) * product->blocks);
#pragma unroll
  for (uint c = 0; c < ROTOR_UNITS; ++c) {
    const uint block = first + (c << shift);
    slot[c] = block < end ? row[block] : (uint4)(0u);
  }
}

// Two bits of a byte where they lie, without a shift, stand for 1, 4 or 16 times a code: sums of each kind are
// kept apart. The upper two are shifted, or they would be a sign.
int4 add_dot16(int4 acc, uint word, uint4 q) {
  acc.x = add_dot4(acc.x, q.x, word & 0x03030303u);
  acc.y = add_dot4(acc.y, q.y, word & 0x0C0C0C0Cu);
  acc.z = add_dot4(acc.z, q.z, word & 0x30303030u);
  acc.w = add_dot4(acc.w, q.w, (word >> 6) & 0x03030303u);
  return acc;
}

int4 dot_item(int4 acc, const uint4* slot, __local const uint4* codes, uint stride, uint left,
              uint shift) {
#pragma unroll
  for (uint c = 0; c < ROTOR_UNITS; ++c) {
    if ((c << shift) < left) {
      __local const uint4* q = codes + (c << shift);
      acc = add_dot16(acc, slot[c].x, q[0]);
      acc = add_dot16(acc, slot[c].y, q[stride]);
      acc = add_dot16(acc, slot[c].z, q[2u * stride]);
      acc = add_dot16(acc, slot[c].w, q[3u * stride]);
    }
  }
  return acc;
}

void add_sixteenths(__local Shared* s) {
  const uint lane = get_local_id(0);
  if (lane >= 16u) return;
  int sum = 0;
  for (uint i = 0; i < ROTOR_LOCAL; i += 16u) sum += s->code_sums[i + lane];
  s->sixteenths[lane] = sum;
}

int sum_of_codes(__local const Shared* s) {
  int sum = 0;
  for (uint i = 0; i < 16u; ++i) sum += s->sixteenths[i];
  return sum;
}

// A row that a team has summed: the sum, or its code among its neighbours', to where it is waited for.
void send_row(__local const Shared* s, volatile __global uint* words, __global int* out, uint number,
              uint slot, uint team, uint round, bool is_last) {
  __local const Product* product = &s->plan[number % 4u];
  const uint shift = product->shift;
  const uint row = 4u * quad_of(team, shift, round) + team % 4u;
  if (row / 4u >= product->quads) return;
  __local const int* partial = s->partial + slot * ROTOR_LOCAL + (team << shift);
  int sum = -sum_of_codes(s);
  for (uint i = 0; i < 1u << shift; ++i) sum += partial[i];
  if (is_last) {
    if (row < product->rows) out[row] = sum;
    return;
  }
  const int code = clamp((sum * product->factor + 32768) >> 16, -64, 63);
  const uint bits = (row < product->rows ? (uint)code & 0x7Fu : 0u) | 0x80u;
  add_bits(words + mail_of(s, number) + row / 4u, bits << (8u * (row % 4u)));
}

// The rows of items `done` and those that lie in slots behind it, as far as they end there.
void send_rows(__local const Shared* s, volatile __global uint* words, __global int* out, uint number, uint done,
               bool is_last) {
  __local const Product* product = &s->plan[number % 4u];
  const uint teams = ROTOR_LOCAL >> product->shift;
  for (uint i = get_local_id(0); i < min(ROTOR_SLOTS, product->items - done) * teams; i += ROTOR_LOCAL) {
    const uint slot = i / teams;
    const uint item = done + slot;
    if ((item + 1u) % product->parts == 0u) {
      send_row(s, words, out, number, slot, i % teams, item / product->parts, is_last);
    }
  }
}

uint extended(uint word) {  // seven bits and a sign
  const uint bits = word & 0x7F7F7F7Fu;
  return bits | (bits & 0x40404040u) << 1;
}

// The codes of a product into local memory, as they come by mail; words of the mail that are `inputs` apart
// belong together.
void receive(__local Shared* s, __global const uint* x, volatile __global uint* words, uint number) {
  const uint lane = get_local_id(0);
  const uint inputs = s->plan[number % 4u].inputs;
  const uint stride = code_stride(inputs / 16u);
  const uint before = number == 0u ? 0u : number - 1u;
  const uint quads = number == 0u ? 0u : s->plan[before % 4u].quads;
  volatile __global uint* mail = words + mail_of(s, before) + lane;
  uint word[ROTOR_HELD];
#pragma unroll
  for (uint c = 0; c < ROTOR_HELD; ++c) {
    const uint i = lane + c * ROTOR_LOCAL;
    word[c] = number == 0u && i < inputs ? x[i] : 0u;
  }
  for (uint first = 0; first < quads; first += ROTOR_FOLDS * inputs) {
    uint got[ROTOR_FOLDS * ROTOR_HELD];
#pragma unroll
    for (uint c = 0; c < ROTOR_FOLDS * ROTOR_HELD; ++c) {
      const uint i = lane + c / ROTOR_FOLDS * ROTOR_LOCAL;
      const bool is_there = i < inputs && first + c % ROTOR_FOLDS * inputs + i < quads;
      got[c] = is_there ? 0u : ROTOR_ARRIVED;
    }
    bool is_waiting = true;
    for (uint looks = 0; is_waiting; ++looks) {
      if (looks == ROTOR_PATIENCE) {
        s->in_vain = 1u;
        give_up(words);
        break;
      }
      is_waiting = false;
#pragma unroll
      for (uint c = 0; c < ROTOR_FOLDS * ROTOR_HELD; ++c) {
        if ((got[c] & ROTOR_ARRIVED) != ROTOR_ARRIVED) {
          got[c] = look(mail + first + c % ROTOR_FOLDS * inputs + c / ROTOR_FOLDS * ROTOR_LOCAL);
        }
      }
#pragma unroll
      for (uint c = 0; c < ROTOR_FOLDS * ROTOR_HELD; ++c) {
        is_waiting = is_waiting || (got[c] & ROTOR_ARRIVED) != ROTOR_ARRIVED;
      }
    }
#pragma unroll
    for (uint c = 0; c < ROTOR_FOLDS * ROTOR_HELD; ++c) word[c / ROTOR_FOLDS] ^= got[c];
  }
  int sum = 0;
#pragma unroll
  for (uint c = 0; c < ROTOR_HELD; ++c) {
    const uint i = lane + c * ROTOR_LOCAL;
    if (i < inputs) {
      const uint bytes = number == 0u ? word[c] : extended(word[c]);
      ((__local uint*)s->codes)[4u * (i % 16u / 4u * stride + i / 16u) + i % 4u] = bytes;
      sum = add_dot4(sum, bytes, 0x01010101u);
    }
  }
  s->code_sums[lane] = sum;
}

// Whoever received the mail of a product knows that all have received what came before it, and clears that. Of
// the last mail somebody must be the last reader.
void clear_behind(__local Shared* s, volatile __global uint* words, uint number, uint products) {
  const uint members = min((uint)get_num_groups(0), s->plan[number % 4u].quads);
  if (number >= 2u) {
    clear_mail(words + mail_of(s, number - 2u), s->plan[(number - 2u) % 4u].quads, get_group_id(0), members);
  }
  if (number + 1u < products) return;
  if (get_local_id(0) == 0u) s->is_last_reader = leave(words, members);
  barrier(CLK_LOCAL_MEM_FENCE);
  if (s->is_last_reader) {
    clear_mail(words + mail_of(s, number - 1u), s->plan[(number - 1u) % 4u].quads, 0u, 1u);
  }
}

// A product whose codes have arrived: multiplies the items in the slots by them and fetches into each slot what
// comes next, be it of the next product, then sends the rows that are complete. (As a call it would have the slots
// in memory instead of registers.)
__attribute__((always_inline)) void multiply(uint4 slots[ROTOR_SLOTS][ROTOR_UNITS], __global const uint4* weights,
                                             __local Shared* s, volatile __global uint* words, __global int* out,
                                             uint number, uint products) {
  const uint lane = get_local_id(0);
  const uint kind = number % 4u;
  const uint items = s->plan[kind].items;
  const uint next_items = number + 1u < products ? s->plan[(number + 1u) % 4u].items : 0u;
  const uint shift = s->plan[kind].shift;
  const uint blocks = s->plan[kind].blocks;
  const uint stride = code_stride(blocks);
  int4 acc = (int4)(0);
  uint begin = 0;
  for (uint done = 0; done == 0u || done < items; done += ROTOR_SLOTS) {
    if (done != 0u) barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (uint i = 0; i < ROTOR_SLOTS; ++i) {
      if (done + i < items) {
        acc = dot_item(acc, slots[i], s->codes + begin + (lane & ((1u << shift) - 1u)), stride, blocks - begin,
                       shift);
        begin += ROTOR_UNITS << shift;
        if (begin >= blocks) {
          s->partial[i * ROTOR_LOCAL + lane] = acc.x + (acc.y >> 2) + (acc.z >> 4) + acc.w;
          acc = (int4)(0);
          begin = 0;
        }
      }
      const uint item = done + i + ROTOR_SLOTS;
      const bool is_mine = item < items;
      const bool is_next = done + ROTOR_SLOTS >= items && i < next_items;
      if (is_mine || is_next) {
        fetch(slots[i], weights, s, is_mine ? number : number + 1u, is_mine ? item : i);
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    send_rows(s, words, out, number, done, number + 1u == products);
  }
}

// Do all work-groups run at once?
void run_trial(__local Shared* s, __global const char* x, volatile __global uint* words,
               __global int* out, uint hidden) {
  if (get_local_id(0) == 0u && !all_meet(words)) s->in_vain = 1u;
  barrier(CLK_LOCAL_MEM_FENCE);
  if (s->in_vain != 0u || get_group_id(0) != 0u) return;
  for (uint i = get_local_id(0); i < hidden; i += ROTOR_LOCAL) out[i] = x[i];
}

// The result must not look like one.
void write_nothing(__global int* out, uint hidden) {
  for (uint i = get_local_id(0); i < hidden; i += ROTOR_LOCAL) out[i] = ROTOR_NOTHING;
}

ROTOR_KERNEL products(__global const uint4* weights,    // [layers] of four matrices each
                      __global const uint* x,           // [hidden] codes, four a word
                      volatile __global uint* words,    // the work: meetings and mail
                      __global int* out,                // [hidden]
                      const ProductsParams p) {
  __local Shared shared;
  __local Shared* s = &shared;
  const uint lane = get_local_id(0);
  if (lane == 0u) {
    s->in_vain = 0u;
    s->layer_units = product_units(p, 4u);
    s->layer_mail = product_mail(p, 4u);
  }
  if (lane < 4u) s->plan[lane] = plan_product(p, lane);
  barrier(CLK_LOCAL_MEM_FENCE);
  if (p.layers == 0u) {
    run_trial(s, (__global const char*)x, words, out, p.hidden);
    return;
  }
  const uint products = 4u * p.layers;
  uint4 slots[ROTOR_SLOTS][ROTOR_UNITS];
#pragma unroll
  for (uint i = 0; i < ROTOR_SLOTS; ++i) {
    if (i < s->plan[0].items) fetch(slots[i], weights, s, 0u, i);
  }
  bool is_whole = true;
  for (uint number = 0; is_whole && number < products; ++number) {
    const uint items = s->plan[number % 4u].items;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (items != 0u) receive(s, x, words, number);
    barrier(CLK_LOCAL_MEM_FENCE);
    is_whole = s->in_vain == 0u;
    add_sixteenths(s);
    if (is_whole) multiply(slots, weights, s, words, out, number, products);
    if (is_whole && items != 0u) clear_behind(s, words, number, products);
  }
  if (!is_whole) write_nothing(out, p.hidden);
}
