#version 450
// Batches on two-bit weights, products of 16 x 32 by 32 x 16 bytes on matrix units. Each subgroup (of 32
// invocations) computes 16 rows x 32 tokens, in steps of 64 columns whose weights (unpacked once) and
// activations lie in shared memory. VK_NV_cooperative_matrix, because the compilers of Debian 12 know no
// other; SPIR-V's tools of that age do not know VK_KHR_cooperative_matrix either.
#extension GL_NV_cooperative_matrix : require
#extension GL_NV_integer_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#include "shaders/matmul.glsl"

const uint kSide = 16;          // rows and tokens of a matrix
const uint kDepth = 32;         // columns of a product
const uint kBlock = 4;          // uvec4 of a row in a step: 64 columns
const uint kPitch = kBlock + 1; // of rows in shared memory: neighbours in other banks
const uint kPerSubgroup = 2;    // matrices of 16 tokens

shared uvec4 tile_weights[kRows * kPitch];   // [row][column / 16], codes 0, 1, 2
shared uvec4 tile_codes[kTokens * kPitch];   // [token][column / 16]
shared int tile_product[kRows * kTokens];    // [token][row]

void load_tile(uint first_row, uint first_token, uint block) {
  const uint blocks = p.stride / 64;
  for (uint r = gl_LocalInvocationID.x; r < kRows; r += kInvocations) {
    const uint row = first_row + r;
    const uvec4 words = row < p.n ? weights[row * blocks + block] : uvec4(0);
    [[unroll]] for (uint i = 0; i < kBlock; ++i) {
      tile_weights[r * kPitch + i] =
          uvec4(words[i], words[i] >> 2, words[i] >> 4, words[i] >> 6) & 0x03030303u;
    }
  }
  for (uint i = gl_LocalInvocationID.x; i < kBlock * kTokens; i += kInvocations) {
    const uint t = first_token + i / kBlock;
    tile_codes[i / kBlock * kPitch + i % kBlock] =
        t < p.m ? codes[t * (p.stride / 16) + kBlock * block + i % kBlock] : uvec4(0);
  }
}

void main() {
  const uint first_row = group_index() * kRows;
  const uint first_token = gl_WorkGroupID.y * kTokens;
  const uint row = gl_SubgroupID % (kRows / kSide) * kSide;
  const uint token = gl_SubgroupID / (kRows / kSide) * kSide * kPerSubgroup;
  icoopmatNV<32, gl_ScopeSubgroup, kSide, kSide> acc[kPerSubgroup];
  [[unroll]] for (uint i = 0; i < kPerSubgroup; ++i) {
    acc[i] = icoopmatNV<32, gl_ScopeSubgroup, kSide, kSide>(0);
  }
  for (uint block = 0; block < p.stride / 64; ++block) {
    barrier();
    load_tile(first_row, first_token, block);
    barrier();
    [[unroll]] for (uint j = 0; j < kBlock; j += kDepth / 16) {
      icoopmatNV<8, gl_ScopeSubgroup, kSide, kDepth> w;
      coopMatLoadNV(w, tile_weights, row * kPitch + j, kPitch, false);
      [[unroll]] for (uint i = 0; i < kPerSubgroup; ++i) {
        icoopmatNV<8, gl_ScopeSubgroup, kDepth, kSide> q;
        coopMatLoadNV(q, tile_codes, (token + i * kSide) * kPitch + j, kPitch, true);
        acc[i] = coopMatMulAddNV(w, q, acc[i]);
      }
    }
  }
  [[unroll]] for (uint i = 0; i < kPerSubgroup; ++i) {
    coopMatStoreNV(acc[i], tile_product, (token + i * kSide) * kRows + row, kRows, true);
  }
  barrier();
  for (uint i = gl_LocalInvocationID.x; i < kRows * kTokens; i += kInvocations) {
    const uint r = first_row + i % kRows;
    const uint t = first_token + i / kRows;
    if (r < p.n && t < p.m) store_product(t, r, tile_product[i]);
  }
}
