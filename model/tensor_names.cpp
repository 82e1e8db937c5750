#include "model/tensor_names.h"

namespace rotor {
namespace {

const char* hf_stem(Projection which) {
  switch (which) {
    case Projection::Q:
      return "self_attn.q_proj";
    case Projection::K:
      return "self_attn.k_proj";
    case Projection::V:
      return "self_attn.v_proj";
    case Projection::O:
      return "self_attn.o_proj";
    case Projection::Gate:
      return "mlp.gate_proj";
    case Projection::Up:
      return "mlp.up_proj";
    case Projection::Down:
      return "mlp.down_proj";
  }
  return "";
}

const char* hf_stem(Norm which) {
  switch (which) {
    case Norm::Input:
      return "input_layernorm";
    case Norm::AttentionSub:
      return "self_attn.attn_sub_norm";
    case Norm::PostAttention:
      return "post_attention_layernorm";
    case Norm::FfnSub:
      return "mlp.ffn_sub_norm";
  }
  return "";
}

const char* gguf_stem(Projection which) {
  switch (which) {
    case Projection::Q:
      return "attn_q";
    case Projection::K:
      return "attn_k";
    case Projection::V:
      return "attn_v";
    case Projection::O:
      return "attn_output";
    case Projection::Gate:
      return "ffn_gate";
    case Projection::Up:
      return "ffn_up";
    case Projection::Down:
      return "ffn_down";
  }
  return "";
}

const char* gguf_stem(Norm which) {
  switch (which) {
    case Norm::Input:
      return "attn_norm";
    case Norm::AttentionSub:
      return "attn_sub_norm";
    case Norm::PostAttention:
      return "ffn_norm";
    case Norm::FfnSub:
      return "ffn_sub_norm";
  }
  return "";
}

std::string gguf_tensor(std::uint32_t layer, const char* stem) {
  return "blk." + std::to_string(layer) + "." + stem + ".weight";
}

std::string hf_tensor(std::uint32_t layer, const char* stem) {
  return "model.layers." + std::to_string(layer) + "." + stem + ".weight";
}

}  // namespace

std::string hf_name(std::uint32_t layer, Projection which) {
  return hf_tensor(layer, hf_stem(which));
}
std::string hf_name(std::uint32_t layer, Norm which) {
  return hf_tensor(layer, hf_stem(which));
}
std::string gguf_name(std::uint32_t layer, Projection which) {
  return gguf_tensor(layer, gguf_stem(which));
}
std::string gguf_name(std::uint32_t layer, Norm which) {
  return gguf_tensor(layer, gguf_stem(which));
}

}  // namespace rotor
