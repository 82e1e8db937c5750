// What the file formats call the tensors of a model.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "model/weights.h"

namespace rotor {

inline constexpr std::array kProjections = {Projection::Q,   Projection::K,    Projection::V,
                                            Projection::O,   Projection::Gate, Projection::Up,
                                            Projection::Down};
inline constexpr std::array kNorms = {Norm::Input, Norm::AttentionSub, Norm::PostAttention,
                                      Norm::FfnSub};

// Hugging Face: "model.layers.3.self_attn.q_proj.weight". The scale of a packed projection has
// "_scale" appended.
std::string hf_name(std::uint32_t layer, Projection which);
std::string hf_name(std::uint32_t layer, Norm which);
inline constexpr char kHfEmbedding[] = "model.embed_tokens.weight";
inline constexpr char kHfFinalNorm[] = "model.norm.weight";
inline constexpr char kHfHead[] = "lm_head.weight";

// GGUF: "blk.3.attn_q.weight".
std::string gguf_name(std::uint32_t layer, Projection which);
std::string gguf_name(std::uint32_t layer, Norm which);
inline constexpr char kGgufEmbedding[] = "token_embd.weight";
inline constexpr char kGgufFinalNorm[] = "output_norm.weight";
inline constexpr char kGgufHead[] = "output.weight";

}  // namespace rotor
