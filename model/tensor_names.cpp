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

}  // namespace rotor
