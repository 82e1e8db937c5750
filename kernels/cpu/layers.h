// Layers as the portable kernels of its parts, one after the other.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/cpu/quantize.h"
#include "kernels/layers_layout.h"
#include "kernels/variant.h"

namespace rotor::cpu {

void norm_quant_portable(const CpuCall& call) noexcept;
void matmul_bitpacked_portable(const CpuCall& call) noexcept;
void rope_f32_portable(const CpuCall& call) noexcept;
void rope_f16_portable(const CpuCall& call) noexcept;
void rope_int8row_portable(const CpuCall& call) noexcept;
void attention_f32_portable(const CpuCall& call) noexcept;
void attention_f16_portable(const CpuCall& call) noexcept;
void attention_int8row_portable(const CpuCall& call) noexcept;

// What differs between formats of the cache.
struct CacheKernels {
  Packing packing;
  CpuKernel rope;
  CpuKernel attention;
};

// Buffers of a call, and where things lie in them.
class Layers {
 public:
  Layers(const CpuCall& call, const CacheKernels& cache)
      : call_(call),
        cache_(cache),
        p_(call.parameters<LayersParams>()),
        part_(layer_parts(p_)),
        traced_(trace_parts(p_)),
        work_(work_parts(p_)) {}

  // x: [hidden] in; returns the residual stream behind the layer.
  const float* run(std::uint32_t layer, const float* x) const {
    const std::byte* weights = call_.buffers[0] + kLayoutUnit * layer * part_.end;
    std::byte* trace = call_.buffers[5] + kLayoutUnit * (work_.traces + layer * traced_.end);
    const auto floats = [](const std::byte* base, std::uint32_t units) {
      return reinterpret_cast<const float*>(base + kLayoutUnit * units);
    };
    const auto traced = [&](std::uint32_t units) {
      return reinterpret_cast<float*>(trace + kLayoutUnit * units);
    };
    float* qkv = traced(traced_.qkv);
    float* attended = traced(traced_.attended);
    float* middle = traced(traced_.middle);
    float* inner = traced(traced_.inner);
    float* result = traced(traced_.result);

    norm(x, floats(weights, part_.input_norm), p_.hidden);
    multiply(weights + kLayoutUnit * part_.qkv, floats(weights, part_.qkv_scales), qkv_rows(p_),
             p_.hidden, qkv);
    attend(layer, qkv, attended);
    norm(attended, floats(weights, part_.attention_norm), q_rows(p_));
    multiply(weights + kLayoutUnit * part_.attention_out,
             floats(weights, part_.attention_out_scales), p_.hidden, q_rows(p_), middle);
    for (std::size_t i = 0; i < p_.hidden; ++i) middle[i] = x[i] + middle[i];
    norm(middle, floats(weights, part_.post_norm), p_.hidden);
    gate(weights, inner);
    norm(inner, floats(weights, part_.ffn_norm), p_.ffn);
    multiply(weights + kLayoutUnit * part_.down, floats(weights, part_.down_scales), p_.hidden,
             p_.ffn, result);
    for (std::size_t i = 0; i < p_.hidden; ++i) result[i] = middle[i] + result[i];
    return result;
  }

 private:
  std::byte* codes() const { return call_.buffers[5] + kLayoutUnit * work_.codes; }
  std::byte* token() const { return call_.buffers[5] + kLayoutUnit * work_.token; }
  void call(CpuKernel kernel, std::initializer_list<const void*> buffers, const void* params,
            std::uint32_t end) const {
    std::byte* pointers[8];
    std::transform(buffers.begin(), buffers.end(), pointers, [](const void* b) {
      return const_cast<std::byte*>(static_cast<const std::byte*>(b));
    });
    kernel({pointers, params, 0, end, call_.scratch});
  }

  void norm(const float* x, const float* gain, std::uint32_t k) const {
    const NormParams params{.m = 1, .k = k, .stride = activation_stride(k), .epsilon = p_.epsilon};
    call(norm_quant_portable, {x, gain, codes(), token()}, &params, 1);
  }

  void multiply(const std::byte* weights, const float* scales, std::uint32_t n, std::uint32_t k,
                float* out) const {
    const MatmulParams params{.m = 1, .n = n, .k = k, .stride = activation_stride(k)};
    call(matmul_bitpacked_portable, {codes(), token(), weights, scales, out}, &params, n);
  }

  // Gate and up, a block of rows at a time, so that no room for all of them is needed.
  void gate(const std::byte* weights, float* inner) const {
    constexpr std::uint32_t kRows = 64;
    const std::byte* matrix = weights + kLayoutUnit * part_.gate_up;
    const auto* scales =
        reinterpret_cast<const float*>(weights + kLayoutUnit * part_.gate_up_scales);
    for (std::uint32_t row = 0; row < p_.ffn; row += kRows) {
      const std::uint32_t count = std::min(kRows, p_.ffn - row);
      float both[2][kRows];
      for (std::uint32_t half = 0; half < 2; ++half) {
        const std::size_t first = std::size_t{half} * p_.ffn + row;
        multiply(matrix + kLayoutUnit * row_units(p_.hidden) * first, scales + first, count,
                 p_.hidden, both[half]);
      }
      for (std::uint32_t i = 0; i < count; ++i) {
        const float g = both[0][i] < 0 ? 0 : both[0][i];
        inner[row + i] = g * g * both[1][i];
      }
    }
  }

  // Rotation works in place, on a copy.
  void attend(std::uint32_t layer, const float* qkv, float* attended) const {
    const AttentionParams params{.m = 1,
                                 .heads = p_.heads,
                                 .kv_heads = p_.kv_heads,
                                 .head_dim = p_.head_dim,
                                 .capacity = p_.capacity};
    auto* rotated = reinterpret_cast<float*>(call_.buffers[5] + kLayoutUnit * work_.turned);
    std::copy_n(qkv, qkv_rows(p_), rotated);
    const auto words = static_cast<std::uint32_t>(row_bytes(cache_.packing, p_.head_dim) / 4);
    std::byte* keys = call_.buffers[3] + kLayoutUnit * 2 * layer * cache_half_units(p_, words);
    std::byte* values = keys + kLayoutUnit * cache_half_units(p_, words);
    call(cache_.rope, {rotated, call_.buffers[1], call_.buffers[2], keys, values}, &params, 1);
    call(cache_.attention, {rotated, call_.buffers[1], keys, values, attended}, &params, p_.heads);
  }

  const CpuCall& call_;
  const CacheKernels& cache_;
  const LayersParams& p_;
  LayerParts part_;
  TraceParts traced_;
  WorkParts work_;
};

inline void run_layers(const CpuCall& call, const CacheKernels& cache) noexcept {
  const auto& p = call.parameters<LayersParams>();
  const Layers layers(call, cache);
  const float* x = call.buffer<const float>(4);
  for (std::uint32_t layer = 0; layer < p.layers; ++layer) x = layers.run(layer, x);
  const std::size_t behind = kLayoutUnit * std::size_t{p.layers} * layer_parts(p).end;
  const auto* gain = reinterpret_cast<const float*>(call.buffers[0] + behind);
  const PlainSource row{x};
  const Normed<PlainSource> y{row, inverse_rms(sum_of_squares(row, p.hidden), p.hidden, p.epsilon),
                              gain};
  for (std::size_t j = 0; j < p.hidden; ++j) call.buffer<float>(6)[j] = y[j];
}

}  // namespace rotor::cpu
