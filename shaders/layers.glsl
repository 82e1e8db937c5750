// All layers of a model for one token, in one dispatch. Its work-groups stay on the device and meet
// wherever one of them needs what others computed: five times a layer. Weights depend on nothing, so what
// the next phase reads is on its way into registers while a work-group waits.
//
// A phase's input is small (a vector of activations), so each work-group norms and quantises all of it
// for itself, into shared memory: to share the codes would take another meeting.
#pragma use_vulkan_memory_model
#extension GL_EXT_spirv_intrinsics : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "shaders/common.glsl"
#include "shaders/exact.glsl"
#include "shaders/rows.glsl"
#include "kernels/layers_layout.h"

layout(push_constant) uniform Push { LayersParams p; };
layout(binding = 0, std430) readonly restrict buffer Weights { uvec4 weights[]; };
layout(binding = 0, std430) readonly restrict buffer Gains { vec4 gains[]; };    // the same
layout(binding = 0, std430) readonly restrict buffer Scales { float scales[]; };  // the same
layout(binding = 1, std430) readonly restrict buffer Step { uint step_[]; };      // position
layout(binding = 2, std430) readonly restrict buffer Angles { float angles[]; };  // [capacity, cos sin]
layout(binding = 3, std430) writeonly buffer NewRows { uint new_rows[]; };  // the cache, where this token goes
layout(binding = 3, std430) readonly restrict buffer Cache { uint cache[]; };  // rows of earlier tokens
layout(binding = 3, std430) readonly restrict buffer CachePairs { uvec2 cache_pairs[]; };  // the same
layout(binding = 3, std430) readonly restrict buffer CacheWide { uvec4 cache_wide[]; };  // the same
layout(binding = 4, std430) readonly restrict buffer X { vec4 x[]; };  // [hidden]
layout(binding = 5, std430) devicecoherent buffer Work { float work[]; };
layout(binding = 5, std430) devicecoherent buffer WorkFours { vec4 work_fours[]; };  // the same
layout(binding = 5, std430) buffer Meeting { uint meeting[]; };  // the same
// What others computed: read once they arrived, and written no more. Through Work, a compiler must wait for
// each load before the next one.
layout(binding = 5, std430) readonly restrict buffer Done { float done[]; };
layout(binding = 5, std430) readonly restrict buffer DoneFours { vec4 done_fours[]; };  // the same
layout(binding = 6, std430) writeonly restrict buffer Normed { vec4 normed[]; };  // [hidden]

LayerParts part;    // of a layer's weights
TraceParts traced;  // of what a layer computes
WorkParts at_work;
uint subgroups;
uint self;  // within the work-group, in the order of subgroups and their lanes

#include "shaders/layers_meet.glsl"
#include "shaders/layers_norm.glsl"
#include "shaders/layers_product.glsl"
#include "shaders/layers_attention.glsl"

// The trace of a layer, in units.
uint trace_of(uint layer) { return at_work.traces + layer * traced.end; }

// Something went wrong: the result must not look like one.
void write_nothing() {
  for (uint i = gl_LocalInvocationID.x; i < p.hidden / 4; i += kInvocations) {
    normed[i] = uintBitsToFloat(uvec4(0x7FC00000u));
  }
}

shared bool some_is_partial;

bool all_subgroups_full() {
  if (gl_LocalInvocationID.x == 0) some_is_partial = false;
  barrier();
  if (subgroupAdd(1u) != gl_SubgroupSize) some_is_partial = true;
  barrier();
  return !some_is_partial;
}

// A norm, the quantiser and the product behind them: four of these and an attention make a layer.
struct Phase {
  NormInput from;
  uint gain;
  Product product;
  Output to;
};

// The four phases of a layer: q k v, the output of attention, gate and up, down. Places in weights and in
// the work are those of layer 0.
shared Phase plan[4];

void make_plan() {
  if (gl_LocalInvocationID.x == 0) {
    const NormInput stream = NormInput(false, traced.result, p.hidden);  // of the layer before
    const NormInput middle = NormInput(false, traced.middle, p.hidden);
    plan[0] = Phase(stream, part.input_norm,
                    plain_product(part.qkv, part.qkv_scales, qkv_rows(p), p.hidden),
                    Output(kStore, traced.qkv, stream));
    plan[1] = Phase(NormInput(false, traced.attended, q_rows(p)), part.attention_norm,
                    plain_product(part.attention_out, part.attention_out_scales, p.hidden, q_rows(p)),
                    Output(kAddTo, traced.middle, stream));
    plan[2] = Phase(middle, part.post_norm,
                    gated_product(part.gate_up, part.gate_up_scales, p.ffn, p.hidden),
                    Output(kGate, traced.inner, middle));
    plan[3] = Phase(NormInput(false, traced.inner, p.ffn), part.ffn_norm,
                    plain_product(part.down, part.down_scales, p.hidden, p.ffn),
                    Output(kAddTo, traced.result, middle));
  }
  barrier();
}

// Phase `number` of all. Behind the last comes the final norm, which has no product.
Phase phase_of(uint number) {
  const uint layer = number / 4;
  const uint kind = number % 4;
  const uint base = layer * part.end;
  const uint trace = trace_of(layer);
  Phase phase = plan[kind];
  phase.gain = layer == p.layers ? base : base + phase.gain;
  phase.product.units += base;
  phase.product.scales += base;
  phase.to.units += trace;
  phase.from.units += kind == 0 ? trace - traced.end : trace;
  phase.from.is_x = kind == 0 && layer == 0;
  phase.to.base.units += kind == 1 ? trace - traced.end : trace;
  phase.to.base.is_x = kind == 1 && layer == 0;
  return phase;
}

// The norm behind the last layer: the quantiser has it in registers, before it makes codes of it.
void write_final_norm(NormInput stream, uint gain) {
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    const uint i = gl_LocalInvocationID.x + c * kInvocations;
    if (i < p.hidden / 4) normed[i] = held[c];
  }
  for (uint i = gl_LocalInvocationID.x + kHeld * kInvocations; i < p.hidden / 4; i += kInvocations) {
    normed[i] = normed_four(four_of(stream, i), gains[gain + i], held_inverse);
  }
}

// Meets, attends, and all that before the work-groups may go on to phase `number`; false if they do not
// come.
bool finish_phase_before(uint number) {
  if (number % 4 != 1) return true;
  arrive();
  if (!everyone_arrived()) return false;
  attend(number / 4, trace_of(number / 4) + late);
  return true;
}

// There is one copy of each step here, gone through in a loop: with one copy a phase the program was
// three times too large for an H100's instruction cache, and every phase waited for its code.
bool run_phases() {
  const uint phases = 4 * p.layers;
  for (uint number = 0; number <= phases; ++number) {
    if (!finish_phase_before(number)) return false;
    if (number > 0) arrive();
    // What the phase reads of the weights is on its way while others are waited for.
    const Phase phase = phase_of(number);
    fetch_gain(phase.gain, phase.from.k);
    if (number < phases) fetch_first_task(phase.product, phase.to);
    if (number > 0 && !everyone_arrived()) return false;
    if (number == phases) {
      leave();
      if (gl_WorkGroupID.x != 0) return true;
    }
    NormInput from = phase.from;
    from.units += late;
    quantise(from, phase.gain);
    if (number < phases) multiply(phase.product, phase.to);
    else write_final_norm(from, phase.gain);
  }
  return true;
}

void main() {
  part = layer_parts(p);
  traced = trace_parts(p);
  at_work = work_parts(p);
  subgroups = kInvocations / gl_SubgroupSize;
  self = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID;
  if (p.layers == 0) {  // a trial: are subgroups full, and do all work-groups run at once?
    if (!all_subgroups_full()) return;
    arrive();
    if (!everyone_arrived()) return;
  }
  make_plan();
  load_angles();
  if (!run_phases()) write_nothing();
}
