#version 450
// Products of 16 x 32 by 32 x 16 bytes on matrix units, added up: those of matmul_bitpacked_coop. A
// subgroup of 32 lanes takes the seed of its first; all elements of a matrix are equal.
#extension GL_NV_cooperative_matrix : require
#extension GL_NV_integer_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#include "shaders/common.glsl"

layout(push_constant) uniform Push { CalculateParams p; };
layout(binding = 0, std430) readonly restrict buffer Seeds { uint seeds[]; };        // [lanes]
layout(binding = 1, std430) writeonly restrict buffer Results { uint results[]; };   // [lanes]

const uint kSide = 16;
const uint kDepth = 32;
const uint kSubgroup = 32;

#define Sums icoopmatNV<32, gl_ScopeSubgroup, kSide, kSide>

int8_t factor(uint bits) { return int8_t(int(bits & 7u) - 3); }

void main() {
  const uint first = group_index() * kRows + gl_SubgroupID * kSubgroup;
  if (first >= p.lanes) return;
  const uint seed = seeds[first];
  const icoopmatNV<8, gl_ScopeSubgroup, kSide, kDepth> a =
      icoopmatNV<8, gl_ScopeSubgroup, kSide, kDepth>(factor(seed));
  const icoopmatNV<8, gl_ScopeSubgroup, kDepth, kSide> b =
      icoopmatNV<8, gl_ScopeSubgroup, kDepth, kSide>(factor(seed >> 3));
  Sums x[ROTOR_SUMS];
  [[unroll]] for (uint i = 0; i < ROTOR_SUMS; ++i) x[i] = Sums(int(seed * (2 * i + 1) + i));
  for (uint round = 0; round < p.rounds; ++round) {
    [[unroll]] for (uint step = 0; step < ROTOR_STEPS; ++step) {
      [[unroll]] for (uint i = 0; i < ROTOR_SUMS; ++i) x[i] = coopMatMulAddNV(a, b, x[i]);
    }
  }
  uint all = 0;
  [[unroll]] for (uint i = 0; i < ROTOR_SUMS; ++i) all = all * 31u + uint(x[i][0]);
  results[first + gl_SubgroupInvocationID] = all;
}
