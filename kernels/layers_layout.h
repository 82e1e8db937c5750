// Where things lie in the buffers of Layers: one text for C++ and GLSL, in units of 16 bytes.
#ifndef ROTOR_KERNELS_LAYERS_LAYOUT_H
#define ROTOR_KERNELS_LAYERS_LAYOUT_H

#include "kernels/layout.h"

#ifdef __cplusplus
namespace rotor {
#endif

ROTOR_SHARED uint q_rows(LayersParams p) {
  return p.heads * p.head_dim;
}
ROTOR_SHARED uint qkv_rows(LayersParams p) {
  return (p.heads + 2u * p.kv_heads) * p.head_dim;
}

// The parts of one layer's weights, which lie one after the other in this order. Layer i begins at
// i * end; the gain of the final norm lies behind the last layer.
struct LayerParts {
  uint qkv;  // matrices, gate on top of up
  uint attention_out;
  uint gate_up;
  uint down;
  uint qkv_scales;  // [n] each
  uint attention_out_scales;
  uint gate_up_scales;
  uint down_scales;
  uint input_norm;  // gains
  uint attention_norm;
  uint post_norm;
  uint ffn_norm;
  uint end;
};
ROTOR_SHARED LayerParts layer_parts(LayersParams p) {
  LayerParts at;
  at.qkv = 0u;
  at.attention_out = at.qkv + matrix_units(qkv_rows(p), p.hidden);
  at.gate_up = at.attention_out + matrix_units(p.hidden, q_rows(p));
  at.down = at.gate_up + matrix_units(2u * p.ffn, p.hidden);
  at.qkv_scales = at.down + matrix_units(p.hidden, p.ffn);
  at.attention_out_scales = at.qkv_scales + float_units(qkv_rows(p));
  at.gate_up_scales = at.attention_out_scales + float_units(p.hidden);
  at.down_scales = at.gate_up_scales + float_units(2u * p.ffn);
  at.input_norm = at.down_scales + float_units(p.hidden);
  at.attention_norm = at.input_norm + float_units(p.hidden);
  at.post_norm = at.attention_norm + float_units(q_rows(p));
  at.ffn_norm = at.post_norm + float_units(p.hidden);
  at.end = at.ffn_norm + float_units(p.ffn);
  return at;
}
ROTOR_SHARED uint weights_units(LayersParams p) {
  return p.layers * layer_parts(p).end + float_units(p.hidden);
}

// Working memory. First words for meetings, then the mail of each layer, both zero before and after a run.
// Then what each layer computed, in order, and last what only kernels that go part by part need.
//
// Mail is what work-groups tell each other, value by value: a word that is zero has not arrived. So nobody
// needs to know who computed it, or that all have come so far; and a value of +0 is sent as -0.
ROTOR_CONSTANT uint kMaxSplits = 6u;
struct MailParts {
  uint qkv;       // [q, k, v] before rotation
  uint sums;      // [kMaxSplits, heads, head_dim] parts of attention, by split of the positions
  uint tops;      // [kMaxSplits, heads, 2] the largest score; the sum of the weights
  uint attended;  // [heads * head_dim]
  uint middle;    // [hidden] the residual stream behind attention
  uint inner;     // [ffn] max(gate, 0)^2 * up
  uint result;    // [hidden] the residual stream behind the layer
  uint end;
};
ROTOR_SHARED MailParts mail_parts(LayersParams p) {
  MailParts at;
  at.qkv = 0u;
  at.sums = at.qkv + float_units(qkv_rows(p));
  at.tops = at.sums + float_units(kMaxSplits * q_rows(p));
  at.attended = at.tops + float_units(kMaxSplits * p.heads * 2u);
  at.middle = at.attended + float_units(q_rows(p));
  at.inner = at.middle + float_units(p.hidden);
  at.result = at.inner + float_units(p.ffn);
  at.end = at.result + float_units(p.hidden);
  return at;
}
// Where in its part of the mail element i lies, in words: invocations that take four neighbouring elements
// each, one word at a time, then read neighbouring words.
ROTOR_SHARED uint mail_word(uint i) {
  return i / 128u * 128u + i % 4u * 32u + i % 128u / 4u;
}

struct TraceParts {
  uint qkv;       // [q, k, v] before rotation
  uint attended;  // [heads * head_dim]
  uint middle;    // as in the mail
  uint inner;
  uint result;
  uint end;
};
ROTOR_SHARED TraceParts trace_parts(LayersParams p) {
  TraceParts at;
  at.qkv = 0u;
  at.attended = at.qkv + float_units(qkv_rows(p));
  at.middle = at.attended + float_units(q_rows(p));
  at.inner = at.middle + float_units(p.hidden);
  at.result = at.inner + float_units(p.ffn);
  at.end = at.result + float_units(p.hidden);
  return at;
}

struct WorkParts {
  uint mail;  // [layers] mail; in front of it [hidden], x as the result of a layer before the first
  uint traces;  // [layers] traces
  uint codes;   // int8 of the widest input
  uint token;   // TokenScale
  uint turned;  // [q, k, v] rotated
  uint end;
};
ROTOR_SHARED WorkParts work_parts(LayersParams p) {
  uint widest = p.hidden > p.ffn ? p.hidden : p.ffn;
  widest = widest > q_rows(p) ? widest : q_rows(p);
  WorkParts at;
  at.mail = kMeetUnits + float_units(p.hidden);
  at.traces = at.mail + p.layers * mail_parts(p).end;
  at.codes = at.traces + p.layers * trace_parts(p).end;
  at.token = at.codes + part_units((widest + 63u) / 64u * 4u);
  at.turned = at.token + kPartUnits;
  at.end = at.turned + float_units(qkv_rows(p));
  return at;
}

// The cache: keys of layer 0, values of layer 0, keys of layer 1, ..., each [capacity, kv_heads] rows of
// `row_words` words.
ROTOR_SHARED uint cache_half_units(LayersParams p, uint row_words) {
  return part_units((p.capacity * p.kv_heads * row_words + 3u) / 4u);
}

#ifdef __cplusplus
}  // namespace rotor
#endif

#endif  // ROTOR_KERNELS_LAYERS_LAYOUT_H
