#version 450
// The products of all layers of a model for one token, in one dispatch, as in shaders/layers.glsl, and nothing
// between them but a requantisation. Its work-groups stay on the device and mail each other their codes, four a
// word. Weights depend on nothing, so what comes next of them is on its way into registers while a work-group
// multiplies and waits.
#pragma use_vulkan_memory_model
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "shaders/common.glsl"
#include "shaders/dot16.glsl"
#include "kernels/products_layout.h"

layout(push_constant) uniform Push { ProductsParams p; };
layout(binding = 0, std430) readonly restrict buffer Weights { uvec4 weights[]; };
layout(binding = 1, std430) readonly restrict buffer X { uint x[]; };  // [hidden] codes, four a word
layout(binding = 2, std430) buffer Words { uint words[]; };            // the work: meetings and mail
layout(binding = 3, std430) writeonly restrict buffer Out { int sums[]; };  // [hidden]

#include "shaders/meeting.glsl"
#include "shaders/products_multiply.glsl"
#include "shaders/products_receive.glsl"

// Something went wrong: the result must not look like one.
void write_nothing() {
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < p.hidden; i += kInvocations) sums[i] = int(0x80000000u);
}

// Of no products.
void write_x() {
  if (gl_WorkGroupID.x != 0) return;
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < p.hidden; i += kInvocations) {
    sums[i] = byte_of(x[i / 4], i % 4);
  }
}

shared bool is_last_reader;

// Whoever received the mail of a product knows that all have received what came before it, and clears that. Of
// the last mail somebody must be the last reader.
void clear_behind(uint number) {
  const Product product = plan[number % 4];
  const uint members = min(gl_NumWorkGroups.x, product.quads);
  if (number >= 2) {
    const uint first = mail_of(number - 2);
    clear_mail(first, first + plan[(number - 2) % 4].quads, gl_WorkGroupID.x, members);
  }
  if (number + 1 < 4 * p.layers) return;
  if (gl_LocalInvocationID.x == 0) {
    is_last_reader = atomicAdd(words[kLeft], 1u, gl_ScopeDevice, gl_StorageSemanticsBuffer,
                               gl_SemanticsAcquireRelease) + 1 == members;
    if (is_last_reader) {
      atomicStore(words[kLeft], 0u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
    }
  }
  barrier();
  if (is_last_reader) clear_mail(mail_of(number - 1), mail_of(number - 1) + plan[(number - 1) % 4].quads, 0, 1);
}

// There is one copy of each step, gone through in a loop: programs larger than the instruction cache wait for
// their code.
bool run_products() {
  const uint products = 4 * p.layers;
  fetch_first(0);
  [[dont_unroll]] for (uint number = 0; number < products; ++number) {
    const bool takes_part = plan[number % 4].items != 0;
    // Nobody promises that subgroups run at the same time: they must have sent what they have.
    barrier();
    if (takes_part) {
      receive(number);
      barrier();
      if (in_vain != 0) return false;
      code_sum = sum_of_codes();
    }
    multiply(number, number + 1 < products);
    if (takes_part) clear_behind(number);
  }
  return true;
}

void main() {
  self = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID;
  if (gl_LocalInvocationID.x == 0) in_vain = 0;
  if (gl_LocalInvocationID.x < kMaxSubgroups / 4) part_sum[gl_LocalInvocationID.x] = ivec4(0);
  barrier();
  if (p.layers == 0) {  // a trial: are subgroups full, and do all work-groups run at once?
    if (all_subgroups_full(4) && all_meet()) write_x();
    return;
  }
  make_plan();
  if (!run_products()) write_nothing();
}
