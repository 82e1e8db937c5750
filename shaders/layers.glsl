// All layers of a model for one token, in one dispatch. Its work-groups stay on the device and mail each
// other what they computed, five times a layer. Weights depend on nothing, so what the next phase reads is
// on its way into registers while a work-group waits for its mail.
//
// A phase's input is small (a vector of activations), so each work-group norms and quantises all of it
// for itself, into shared memory: to share the codes would take another way through memory.
#pragma use_vulkan_memory_model
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#include "shaders/common.glsl"
#include "shaders/dot16.glsl"
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
layout(binding = 3, std430) readonly restrict buffer CacheWide { uvec4 cache_wide[]; };  // the same
layout(binding = 4, std430) readonly restrict buffer X { vec4 x[]; };  // [hidden]
layout(binding = 5, std430) buffer Words { uint words[]; };  // the work: meetings and mail
layout(binding = 5, std430) writeonly restrict buffer Trace { float trace[]; };  // the same: traces
layout(binding = 6, std430) writeonly restrict buffer Normed { vec4 normed[]; };  // [hidden]

// In shared memory as well, so that they take no registers.
shared MailParts mailed;   // of a layer's mail
shared TraceParts traced;  // of what a layer computes
shared WorkParts at_work;
shared uint layer_units;   // of weights
uint self;    // within the work-group, in the order of subgroups and their lanes
uint splits;  // of the positions
uint apart;   // work-groups that do attention and nothing else until it is done; 0: all do all

// The mail of a layer, in words.
uint mail_of(uint layer) { return 4 * (at_work.mail + layer * mailed.end); }

// Its trace, in floats.
uint trace_of(uint layer) { return 4 * (at_work.traces + layer * traced.end); }

#include "shaders/layers_mail.glsl"
#include "shaders/layers_norm.glsl"
#include "shaders/layers_product.glsl"
#include "shaders/layers_attention.glsl"

// Something went wrong: the result must not look like one.
void write_nothing() {
  [[dont_unroll]] for (uint i = gl_LocalInvocationID.x; i < p.hidden / 4; i += kInvocations) {
    normed[i] = uintBitsToFloat(uvec4(0x7FC00000u));
  }
}

// In a short text attention has work for few: they have it to themselves, so that keys and values are with
// them before the query is. In a long one all take part in everything, and positions are split.
const uint kLong = 256;  // positions; an H100 gains by splits from here on
void share_out() {
  const bool is_long = step_[0] >= kLong;
  splits = is_long ? clamp(gl_NumWorkGroups.x / p.heads, 1, kMaxSplits) : 1;
  apart = is_long || 2 * p.heads > gl_NumWorkGroups.x ? 0 : p.heads;
}

// A norm, the quantiser and the product behind them: four of these and an attention make a layer.
struct Phase {
  NormInput from;
  uint gain;
  float share;  // 1 / inputs
  Product product;
  Output to;
};

// The four phases of a layer: q k v, the output of attention, gate and up, down. Places are those of layer 0.
shared Phase plan[4];

void make_plan() {
  if (gl_LocalInvocationID.x == 0) {
    const LayerParts part = layer_parts(p);
    layer_units = part.end;
    mailed = mail_parts(p);
    traced = trace_parts(p);
    at_work = work_parts(p);
    const uint stream = 4 * (mailed.result - mailed.end);  // of the layer before, so less than nothing
    const uint others = gl_NumWorkGroups.x - apart;
    plan[0].from = NormInput(stream, p.hidden);
    plan[0].gain = part.input_norm;
    plan[0].product = plain_product(part.qkv, part.qkv_scales, qkv_rows(p), p.hidden, others);
    plan[0].to = Output(kStore, 4 * mailed.qkv, 4 * traced.qkv, 0);
    plan[1].from = NormInput(4 * mailed.attended, q_rows(p));
    plan[1].gain = part.attention_norm;
    plan[1].product = plain_product(part.attention_out, part.attention_out_scales, p.hidden, q_rows(p), others);
    plan[1].to = Output(kAddTo, 4 * mailed.middle, 4 * traced.middle, stream);
    plan[2].from = NormInput(4 * mailed.middle, p.hidden);
    plan[2].gain = part.post_norm;
    plan[2].product = gated_product(part.gate_up, part.gate_up_scales, p.ffn, p.hidden, gl_NumWorkGroups.x);
    plan[2].to = Output(kGate, 4 * mailed.inner, 4 * traced.inner, 0);
    plan[3].from = NormInput(4 * mailed.inner, p.ffn);
    plan[3].gain = part.ffn_norm;
    plan[3].product = plain_product(part.down, part.down_scales, p.hidden, p.ffn, gl_NumWorkGroups.x);
    plan[3].to = Output(kAddTo, 4 * mailed.result, 4 * traced.result, 4 * mailed.middle);
    [[dont_unroll]] for (uint i = 0; i < 4; ++i) plan[i].share = 1.0 / float(plan[i].from.k);
  }
  barrier();
}

// The parts of phase `kind` of a layer.
NormInput input_of(uint layer, uint kind) {
  NormInput from = plan[kind].from;
  from.mail += mail_of(layer);
  return from;
}

uint gain_of(uint layer, uint kind) { return layer * layer_units + (layer == p.layers ? 0 : plan[kind].gain); }

Product product_of(uint layer, uint kind) {
  Product product = plan[kind].product;
  product.units += layer * layer_units;
  product.scales += layer * layer_units;
  return product;
}

Output output_of(uint layer, uint kind) {
  Output to = plan[kind].to;
  to.mail += mail_of(layer);
  to.base += mail_of(layer);
  to.trace += trace_of(layer);
  return to;
}

// The input of the first layer is mailed as well: whoever receives need not ask where from.
void send_x() {
  const uint i = gl_WorkGroupID.x * kInvocations + gl_LocalInvocationID.x;
  const uint all = gl_NumWorkGroups.x * kInvocations;
  const uint mail = plan[0].from.mail + mail_of(0);
  [[dont_unroll]] for (uint at = i; at < p.hidden; at += all) send(mail, at, x[at / 4][at % 4]);
}

// The norm behind the last layer: the quantiser leaves all of it in registers.
void write_final_norm() {
  [[unroll]] for (uint c = 0; c < kHeld; ++c) {
    const uint i = gl_LocalInvocationID.x + c * kInvocations;
    if (i < p.hidden / 4) normed[i] = held[c] * inverse;
  }
}

// Who takes part in the product of a phase. Those who have no rows of it do not look at its input either:
// nobody would wait for them before clearing it.
Members members_of(uint kind) {
  const uint first = kind < 2 ? apart : 0;
  return Members(gl_WorkGroupID.x - first, gl_NumWorkGroups.x - first);
}
bool takes_part(Members members, uint tasks) { return members.number < min(members.count, tasks); }

// Where the mail behind `middle` of the layer before begins: there is x before the first.
uint mail_behind_middle(uint layer) {
  return layer == 0 ? 4 * kMeetUnits : mail_of(layer - 1) + 4 * mailed.middle;
}

// Whoever received `middle` of a layer knows that all have read what came before it: it needs all rows of
// `middle`, they need all of attention, that needs all of q, k, v, and they need all of the layer before.
void clear_behind(uint layer, Members members, uint tasks) {
  clear_mail(mail_behind_middle(layer), mail_of(layer) + 4 * mailed.middle, members.number, min(members.count, tasks));
}

// There is one copy of each step here, gone through in a loop: with one copy a phase the program was
// three times too large for an H100's instruction cache, and every phase waited for its code.
bool run_phases() {
  const uint phases = 4 * p.layers;
  [[dont_unroll]] for (uint number = 0; number <= phases; ++number) {
    const uint kind = number % 4;
    const uint layer = number / 4;
    if (kind == 1 && (apart == 0 || gl_WorkGroupID.x < apart)) attend(layer);
    const Members members = members_of(kind);
    const uint tasks = plan[kind].product.tasks;
    if (number == phases ? gl_WorkGroupID.x != 0 : !takes_part(members, tasks)) continue;
    const NormInput from = input_of(layer, kind);
    // What the phase reads of the weights is on its way while others are waited for.
    const Product product = product_of(layer, kind);
    const Output to = output_of(layer, kind);
    const float share = plan[kind].share;
    if (number < phases) fetch_first_task(product, members);
    fetch_gains(from.k, gain_of(layer, kind));
    // Nobody promises that subgroups run at the same time: they must have sent what they have. (Without it a
    // token takes 8 % longer on an H100.)
    barrier();
    receive(from);
    if (!quantise(from.k, share)) return false;
    if (number < phases) multiply(product, to, members);
    else write_final_norm();
    if (kind == 2) clear_behind(layer, members, tasks);
  }
  // The last layer's mail has but one reader, who has come here.
  if (gl_WorkGroupID.x == 0) clear_mail(mail_behind_middle(p.layers), mail_of(p.layers), 0, 1);
  return true;
}

void main() {
  self = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID;
  if (gl_LocalInvocationID.x == 0) in_vain = 0;
  if (gl_LocalInvocationID.x < kMaxSubgroups / 4) {
    part_squares[gl_LocalInvocationID.x] = vec4(0.0);
    part_top[gl_LocalInvocationID.x] = uvec4(0);
    part_sum[gl_LocalInvocationID.x] = ivec4(0);
  }
  barrier();
  if (p.layers == 0) {  // a trial: are subgroups full, and do all work-groups run at once?
    if (!all_subgroups_full(32) || !all_meet()) return;
  }
  share_out();
  load_angles();
  make_plan();
  send_x();
  if (!run_phases()) write_nothing();
}
