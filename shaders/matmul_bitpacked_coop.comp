#version 450
// Batches on two-bit weights, products of 16 x 32 by 32 x 16 bytes on matrix units. A work-group computes
// its tile in steps of 64 columns, whose weights (unpacked once) and activations lie in shared memory; each
// subgroup (of 32 invocations) computes a block of the tile, up to 64 rows x 64 tokens, so that a matrix
// read from there serves several products. Shared memory has two halves: while the subgroups multiply from
// one, what they loaded ahead of that goes into the other, and a step needs one barrier.
//
// Tall tiles read least: a row has 16 bytes in a step, a token 64.
//
// VK_NV_cooperative_matrix, because the compilers of Debian 12 know no other; SPIR-V's tools of that age do
// not know VK_KHR_cooperative_matrix either.
#extension GL_NV_cooperative_matrix : require
#extension GL_NV_integer_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#include "shaders/matmul.glsl"

const uint kSide = 16;          // rows and tokens of a matrix
const uint kDepth = 32;         // columns of a product
const uint kBlock = 4;          // uvec4 of a row in a step: 64 columns
const uint kPitch = kBlock + 1; // of rows in shared memory: eight of them in a column lie in all banks
const uint kSubgroups = kInvocations / 32;

// The block of a subgroup: square, or twice as many tokens as rows. Quotients are rounded up for the sake of
// the constants' defaults, of which arrays have to have a size; those of real tiles leave no rest.
const uint kOutputs = (kRows * kTokens + kSubgroups - 1) / kSubgroups;
const uint kWidest = kOutputs >= 2048u ? 64u : kOutputs >= 512u ? 32u : 16u;
const uint kBlockTokens = kTokens < kWidest ? kTokens : kWidest;
const uint kBlockRows = (kOutputs + kBlockTokens - 1) / kBlockTokens;
const uint kBlocksDown = kRows / kBlockRows;
const uint kRowMatrices = (kBlockRows + kSide - 1) / kSide;
const uint kTokenMatrices = (kBlockTokens + kSide - 1) / kSide;

// What an invocation loads of a step: 16 columns of so many rows (a word) and tokens (a uvec4). It holds
// several steps in registers, because a step takes less time than memory. Tiles of few tokens, which mostly
// wait for weights, have the registers for more; the number is even, as halves take turns.
const uint kWords = (kBlock * kRows + kInvocations - 1) / kInvocations;
const uint kCodes = (kBlock * kTokens + kInvocations - 1) / kInvocations;
const uint kAhead = kTokens > 32u ? 2u : 4u;

// Of a product on its way out, tokens apart: those that a store writes at once lie in all banks. More than
// four subgroups, which only a tile with a group of its own has, may find no room for that.
const uint kOutPitch = kSubgroups > 4 ? kSide : kSide + 4;

shared uvec4 tile_weights[2 * kRows * kPitch];          // [half][row][column / 16], codes 0, 1, 2
shared uvec4 tile_codes[2 * kTokens * kPitch];          // [half][token][column / 16]
shared int tile_out[kSubgroups * kSide * kOutPitch];    // [subgroup][token][row]

uint held_words[kAhead][kWords];
uvec4 held_codes[kAhead][kCodes];
uint weights_at[kWords];   // where the rows and tokens begin that this invocation loads
uint codes_at[kCodes];
icoopmatNV<32, gl_ScopeSubgroup, kSide, kSide> acc[kRowMatrices][kTokenMatrices];

// Invocations take rows (or tokens) by eights, 32 of them. Eight in line load 64 columns of the rows r and
// r + 4: whole sectors of memory, and 16 bytes in each bank of shared memory.
uint loaded_column() { return gl_LocalInvocationID.x % kBlock; }
uint loaded_row(uint i) {
  const uint lane = gl_LocalInvocationID.x % 32;
  return (i * kSubgroups + gl_LocalInvocationID.x / 32) * 8 + lane / 8 + lane / 4 % 2 * 4;
}

// Rows and tokens that are not there read the last one instead. Nobody stores what comes of them.
void locate(uint first_row, uint first_token) {
  [[unroll]] for (uint i = 0; i < kWords; ++i) {
    weights_at[i] = min(first_row + loaded_row(i), p.n - 1) * (p.stride / 64);
  }
  [[unroll]] for (uint i = 0; i < kCodes; ++i) {
    codes_at[i] = min(first_token + loaded_row(i), p.m - 1) * (p.stride / 16) + loaded_column();
  }
}

// Into registers; steps that are not there read the last one.
void fetch(uint set, uint step) {
  const uint at = min(step, p.stride / 64 - 1);
  [[unroll]] for (uint i = 0; i < kWords; ++i) {
    held_words[set][i] = weights[weights_at[i] + at][loaded_column()];
  }
  [[unroll]] for (uint i = 0; i < kCodes; ++i) {
    held_codes[set][i] = codes[codes_at[i] + kBlock * at];
  }
}

// From registers into shared memory.
void keep(uint set, uint part) {
  [[unroll]] for (uint i = 0; i < kWords; ++i) {
    if (kBlock * kRows % kInvocations != 0 && loaded_row(i) >= kRows) continue;
    const uint word = held_words[set][i];
    tile_weights[(part * kRows + loaded_row(i)) * kPitch + loaded_column()] =
        uvec4(word, word >> 2, word >> 4, word >> 6) & 0x03030303u;
  }
  [[unroll]] for (uint i = 0; i < kCodes; ++i) {
    if (kBlock * kTokens % kInvocations != 0 && loaded_row(i) >= kTokens) continue;
    tile_codes[(part * kTokens + loaded_row(i)) * kPitch + loaded_column()] = held_codes[set][i];
  }
}

void multiply(uint part, uint row, uint token) {
  [[unroll]] for (uint j = 0; j < kBlock; j += kDepth / 16) {
    icoopmatNV<8, gl_ScopeSubgroup, kSide, kDepth> w[kRowMatrices];
    [[unroll]] for (uint r = 0; r < kRowMatrices; ++r) {
      coopMatLoadNV(w[r], tile_weights, (part * kRows + row + r * kSide) * kPitch + j, kPitch, false);
    }
    [[unroll]] for (uint t = 0; t < kTokenMatrices; ++t) {
      icoopmatNV<8, gl_ScopeSubgroup, kDepth, kSide> q;
      coopMatLoadNV(q, tile_codes, (part * kTokens + token + t * kSide) * kPitch + j, kPitch, true);
      [[unroll]] for (uint r = 0; r < kRowMatrices; ++r) acc[r][t] = coopMatMulAddNV(w[r], q, acc[r][t]);
    }
  }
}

// Multiplies step `step` and keeps the next one: `turn` is the step's number modulo kAhead. The barrier at
// the end of the step before has let everyone leave the half that is written here. Called with literal
// turns, not in a loop: sets of registers must not be chosen at run time.
void advance(uint step, uint turn, uint row, uint token) {
  const uint next = (turn + 1) % kAhead;
  keep(next, next % 2);
  fetch(next, step + 1 + kAhead);
  if (step < p.stride / 64) multiply(turn % 2, row, token);
  barrier();
}

// By way of shared memory that the subgroup has to itself: which part of a matrix an invocation has is not
// known. 16 rows of a token are whole sectors of memory. Scales are read without asking whether there is
// such a row or token, several at a time: one by one they would take as long as some steps.
void store_block(uint row, uint token) {
  const uint out_at = gl_SubgroupID * kSide * kOutPitch;
  const uint r = row + gl_SubgroupInvocationID % kSide;
  const uint t = gl_SubgroupInvocationID / kSide * 4;  // and t + 4: in other banks of tile_out
  float row_scales[kRowMatrices];
  [[unroll]] for (uint i = 0; i < kRowMatrices; ++i) row_scales[i] = scales[min(r + i * kSide, p.n - 1)];
  [[unroll]] for (uint j = 0; j < kTokenMatrices; ++j) {
    TokenScale token_scales[kSide / 2];
    [[unroll]] for (uint u = 0; u < kSide / 2; ++u) {
      token_scales[u] = tokens[min(token + j * kSide + t + u % 4 + u / 4 * 8, p.m - 1)];
    }
    [[unroll]] for (uint i = 0; i < kRowMatrices; ++i) {
      coopMatStoreNV(acc[i][j], tile_out, out_at, kOutPitch, true);
      subgroupBarrier();
      [[unroll]] for (uint u = 0; u < kSide / 2; ++u) {
        const uint of_matrix = t + u % 4 + u / 4 * 8;
        const uint to_row = r + i * kSide;
        const uint to_token = token + j * kSide + of_matrix;
        const int sum = tile_out[out_at + of_matrix * kOutPitch + gl_SubgroupInvocationID % kSide];
        const float value = scaled_product(sum, row_scales[i], token_scales[u]);
        if (to_row < p.n && to_token < p.m) product[to_token * p.n + to_row] = value;
      }
      subgroupBarrier();
    }
  }
}

void main() {
  const uint first_row = group_index() * kRows;
  const uint first_token = gl_WorkGroupID.y * kTokens;
  const uint row = gl_SubgroupID % kBlocksDown * kBlockRows;
  const uint token = gl_SubgroupID / kBlocksDown * kBlockTokens;
  [[unroll]] for (uint r = 0; r < kRowMatrices; ++r) {
    [[unroll]] for (uint t = 0; t < kTokenMatrices; ++t) {
      acc[r][t] = icoopmatNV<32, gl_ScopeSubgroup, kSide, kSide>(0);
    }
  }
  locate(first_row, first_token);
  fetch(0, 0);
  keep(0, 0);
  fetch(1, 1);
  if (kAhead > 2) {
    fetch(2 % kAhead, 2);
    fetch(3 % kAhead, 3);
  }
  fetch(0, kAhead);
  barrier();
  for (uint step = 0; step < p.stride / 64; step += kAhead) {
    advance(step, 0, row, token);
    advance(step + 1, 1, row, token);
    if (kAhead > 2) {
      advance(step + 2, 2 % kAhead, row, token);
      advance(step + 3, 3 % kAhead, row, token);
    }
  }
  store_block(first_row + row, first_token + token);
}
