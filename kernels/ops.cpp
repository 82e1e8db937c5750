#include "kernels/ops.h"

#include <cassert>
#include <cstring>

#include "kernels/layers_layout.h"
#include "kernels/products_layout.h"

namespace rotor {
namespace {

using enum Access;
using enum Element;

constexpr BufferSpec kMatmul[] = {{"codes", Read, I8},
                                  {"tokens", Read, Token},
                                  {"weights", Weights, Packed},
                                  {"scales", Weights, F32},
                                  {"out", Write, F32}};
constexpr BufferSpec kMatmulHalf[] = {
    {"x", Read, F16}, {"weights", Weights, Packed}, {"scales", Weights, F32}, {"out", Write, F32}};
constexpr BufferSpec kMatmulDense[] = {
    {"x", Read, F32}, {"weights", Weights, F32}, {"scales", Weights, F32}, {"out", Write, F32}};
constexpr BufferSpec kEmbed[] = {
    {"table", Weights, Packed}, {"step", Read, U32}, {"out", Write, F32}};
constexpr BufferSpec kNormQuant[] = {
    {"x", Read, F32}, {"gain", Weights, F32}, {"codes", Write, I8}, {"tokens", Write, Token}};
constexpr BufferSpec kAddNormQuant[] = {{"x", ReadWrite, F32},
                                        {"delta", Read, F32},
                                        {"gain", Weights, F32},
                                        {"codes", Write, I8},
                                        {"tokens", Write, Token}};
constexpr BufferSpec kRelu2NormQuant[] = {
    {"gate_up", Read, F32}, {"gain", Weights, F32}, {"codes", Write, I8}, {"tokens", Write, Token}};
constexpr BufferSpec kAddNorm[] = {
    {"x", ReadWrite, F32}, {"delta", Read, F32}, {"gain", Weights, F32}, {"out", Write, F32}};
constexpr BufferSpec kRope[] = {{"qkv", ReadWrite, F32},
                                {"step", Read, U32},
                                {"angles", Weights, F32},
                                {"keys", ReadWrite, Packed},
                                {"values", ReadWrite, Packed}};
constexpr BufferSpec kAttention[] = {{"qkv", Read, F32},
                                     {"step", Read, U32},
                                     {"keys", Read, Packed},
                                     {"values", Read, Packed},
                                     {"out", Write, F32}};
constexpr BufferSpec kHead[] = {{"x", Read, F32}, {"table", Weights, Packed}, {"out", Write, F32}};

constexpr BufferSpec kLayers[] = {
    {"weights", Weights, Packed}, {"step", Read, U32}, {"angles", Weights, F32},
    {"cache", ReadWrite, Packed}, {"x", Read, F32},    {"work", ReadWrite, F32},
    {"normed", Write, F32}};

constexpr BufferSpec kProducts[] = {
    {"weights", Weights, Packed}, {"x", Read, I8}, {"work", ReadWrite, U32}, {"out", Write, U32}};

constexpr BufferSpec kTopK[] = {{"logits", Read, F32}, {"best", Write, U32}};

constexpr BufferSpec kCalculate[] = {{"seeds", Read, U32}, {"results", Write, U32}};

constexpr Contract kContracts[kOpCount] = {
    {"matmul", kMatmul, sizeof(MatmulParams)},
    {"matmul_half", kMatmulHalf, sizeof(MatmulParams)},
    {"matmul_dense", kMatmulDense, sizeof(MatmulParams)},
    {"embed", kEmbed, sizeof(EmbedParams)},
    {"norm_quant", kNormQuant, sizeof(NormParams)},
    {"add_norm_quant", kAddNormQuant, sizeof(NormParams)},
    {"relu2_norm_quant", kRelu2NormQuant, sizeof(NormParams)},
    {"add_norm", kAddNorm, sizeof(NormParams)},
    {"rope", kRope, sizeof(AttentionParams)},
    {"attention", kAttention, sizeof(AttentionParams)},
    {"head", kHead, sizeof(HeadParams)},
    {"top_k", kTopK, sizeof(TopKParams)},
    {"calculate", kCalculate, sizeof(CalculateParams)},
    {"layers", kLayers, sizeof(LayersParams)},
    {"products", kProducts, sizeof(ProductsParams)},
};

template <typename Params>
Params read(std::span<const std::byte> bytes) {
  assert(bytes.size() == sizeof(Params));
  Params params;
  std::memcpy(&params, bytes.data(), sizeof params);
  return params;
}

// Bytes of `rows` rows of `columns` elements of a plain type.
std::size_t plain(Element element, std::size_t rows, std::size_t columns) {
  switch (element) {
    case I8:
      return rows * columns;
    case F16:
      return rows * columns * 2;
    case F32:
    case U32:
      return rows * columns * 4;
    case Token:
      return rows * sizeof(TokenScale);
    case Packed:
      break;
  }
  assert(false && "packed sizes are the packing's business");
  return 0;
}

std::size_t matmul_bytes(const MatmulParams& p, const BufferSpec& buffer, Packing packing) {
  if (buffer.element == Packed) return packed_bytes(packing, p.n, p.k);
  if (buffer.name == "codes") return plain(I8, p.m, p.stride);
  if (buffer.name == "x") {
    return buffer.element == F16 ? plain(F16, p.m, p.stride) : plain(F32, p.m, p.k);
  }
  if (buffer.name == "weights") return plain(F32, p.n, p.k);
  if (buffer.name == "scales") return plain(F32, p.n, 1);
  return buffer.name == "tokens" ? plain(Token, p.m, 1) : plain(F32, p.m, p.n);
}

std::size_t norm_bytes(const NormParams& p, const BufferSpec& buffer) {
  if (buffer.name == "gain") return plain(F32, 1, p.k);
  if (buffer.name == "codes") return plain(I8, p.m, p.stride);
  if (buffer.name == "tokens") return plain(Token, p.m, 1);
  return plain(F32, p.m, std::size_t{p.k} * (buffer.name == "gate_up" ? 2 : 1));
}

std::size_t attention_bytes(const AttentionParams& p, const BufferSpec& buffer, Packing packing) {
  if (buffer.name == "qkv")
    return plain(F32, p.m, std::size_t{p.heads + 2 * p.kv_heads} * p.head_dim);
  if (buffer.name == "step") return plain(U32, 2, 1);
  if (buffer.name == "angles") return plain(F32, p.capacity, p.head_dim);
  if (buffer.name == "out") return plain(F32, p.m, std::size_t{p.heads} * p.head_dim);
  return std::size_t{p.capacity} * p.kv_heads * row_bytes(packing, p.head_dim);
}

std::size_t layers_bytes(const LayersParams& p, const BufferSpec& buffer, Packing packing) {
  constexpr std::size_t kUnit = kLayoutUnit;
  if (buffer.name == "weights") return kUnit * weights_units(p);
  if (buffer.name == "step") return plain(U32, 2, 1);
  if (buffer.name == "angles") return plain(F32, p.capacity, p.head_dim);
  if (buffer.name == "work") return kUnit * work_parts(p).end;
  if (buffer.name == "cache") {
    const auto words = static_cast<std::uint32_t>(row_bytes(packing, p.head_dim) / 4);
    return 2 * p.layers * kUnit * cache_half_units(p, words);
  }
  return plain(F32, p.hidden, 1);
}

std::size_t products_bytes(const ProductsParams& p, const BufferSpec& buffer) {
  if (buffer.name == "weights") return std::size_t{kLayoutUnit} * products_weights_units(p);
  if (buffer.name == "work") return std::size_t{kLayoutUnit} * products_work_units(p);
  return plain(buffer.element, p.hidden, 1);
}

// Whether a vector suits kernels that keep it in shared memory: 256 invocations hold seven fours each
// (shaders/layers_norm.glsl, shaders/products.comp).
bool is_wide(std::uint32_t k) {
  return k != 0 && k % 64 == 0 && k <= 7168;
}

}  // namespace

bool can_run_layers(const LayersParams& p) {
  return is_wide(p.hidden) && is_wide(p.ffn) && is_wide(q_rows(p)) && p.head_dim % 16 == 0 &&
         p.head_dim <= 128 && p.heads <= 256 && p.kv_heads != 0 && p.heads % p.kv_heads == 0;
}

bool can_run_products(const ProductsParams& p) {
  return is_wide(p.hidden) && is_wide(p.ffn) && is_wide(p.q_rows) && p.q_rows <= p.qkv_rows &&
         p.qkv_rows <= 1u << 16;
}

const Contract& contract(Op op) {
  return kContracts[static_cast<std::size_t>(op)];
}

std::size_t buffer_bytes(Op op, std::size_t index, std::span<const std::byte> params,
                         Packing packing) {
  const BufferSpec& buffer = contract(op).buffers[index];
  switch (op) {
    case Op::Matmul:
    case Op::MatmulHalf:
    case Op::MatmulDense:
      return matmul_bytes(read<MatmulParams>(params), buffer, packing);
    case Op::Embed: {
      const auto p = read<EmbedParams>(params);
      if (buffer.name == "table") return p.vocab * row_bytes(packing, p.k);
      return buffer.name == "step" ? plain(U32, 2 + std::size_t{p.m}, 1) : plain(F32, p.m, p.k);
    }
    case Op::NormQuant:
    case Op::AddNormQuant:
    case Op::Relu2NormQuant:
    case Op::AddNorm:
      return norm_bytes(read<NormParams>(params), buffer);
    case Op::Rope:
    case Op::Attention:
      return attention_bytes(read<AttentionParams>(params), buffer, packing);
    case Op::Head: {
      const auto p = read<HeadParams>(params);
      if (buffer.name == "table") return p.n * row_bytes(packing, p.k);
      // The last row of `out` may be a slice of a wider one.
      return buffer.name == "x" ? plain(F32, p.m, p.k)
                                : plain(F32, 1, std::size_t{p.m - 1} * p.out_stride + p.n);
    }
    case Op::TopK: {
      const auto p = read<TopKParams>(params);
      if (buffer.name == "logits") return plain(F32, p.n, 1);
      return std::size_t{index_space(op, params)} * p.count * sizeof(RankedLogit);
    }
    case Op::Calculate:
      return plain(U32, read<CalculateParams>(params).lanes, 1);
    case Op::Layers:
      return layers_bytes(read<LayersParams>(params), buffer, packing);
    case Op::Products:
      return products_bytes(read<ProductsParams>(params), buffer);
  }
  return 0;
}

std::uint32_t index_space(Op op, std::span<const std::byte> params) {
  switch (op) {
    case Op::Matmul:
    case Op::MatmulHalf:
    case Op::MatmulDense:
      return read<MatmulParams>(params).n;
    case Op::Embed:
      return read<EmbedParams>(params).m;
    case Op::NormQuant:
    case Op::AddNormQuant:
    case Op::Relu2NormQuant:
    case Op::AddNorm:
      return read<NormParams>(params).m;
    case Op::Rope:
      return read<AttentionParams>(params).m;
    case Op::Attention: {
      const auto p = read<AttentionParams>(params);
      return p.m * p.heads;
    }
    case Op::Head:
      return read<HeadParams>(params).n;
    case Op::TopK: {
      const auto p = read<TopKParams>(params);
      return (p.n + p.width - 1) / p.width;
    }
    case Op::Calculate:
      return read<CalculateParams>(params).lanes;
    case Op::Layers:
    case Op::Products:
      return 1;
  }
  return 0;
}

}  // namespace rotor
