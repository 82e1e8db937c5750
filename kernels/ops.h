// The contract of every op. An op is a numbered list of buffers and one parameter struct; all
// backends obey the same contract, so one reference checks every kernel and the runtime builds its
// bindings from here.
//
// Letters: m tokens, n output features, k input features. All matrices are row-major. Activation
// rows of int8 codes and halves are `stride` = activation_stride(k) elements apart and hold zeros
// from k to stride, so that no kernel needs a tail in k.
//
// op (parameters): its buffers in order
//
//   Matmul (MatmulParams): codes i8[m,stride], tokens TokenScale[m], weights, scales f32[n],
//       out f32[m,n]
//   MatmulHalf (MatmulParams): x f16[m,stride], weights, scales f32[n], out f32[m,n]
//   MatmulDense (MatmulParams): x f32[m,k], weights f32[n,k], scales f32[n], out f32[m,n]
//   Embed (EmbedParams): table[vocab,k], step u32[2+m], out f32[m,k]
//   NormQuant (NormParams): x f32[m,k], gain f32[k], codes i8[m,stride], tokens TokenScale[m]
//   AddNormQuant (NormParams): x f32[m,k] in-out, delta f32[m,k], gain f32[k], codes, tokens
//   Relu2NormQuant (NormParams): gate_up f32[m,2k], gain f32[k], codes i8[m,stride], tokens
//   AddNorm (NormParams): x f32[m,k] in-out, delta f32[m,k], gain f32[k], out f32[m,k]
//   Rope (AttentionParams): qkv f32[m,(heads + 2 kv_heads) head_dim] in-out, step,
//       angles f32[capacity,head_dim], keys, values
//   Attention (AttentionParams): qkv, step, keys, values, out f32[m,heads * head_dim]
//   Head (HeadParams): x f32[m,k], table[n,k], out f32[m,out_stride]
//   TopK (TopKParams): logits f32[n], best RankedLogit[parts,count]
//   Calculate (CalculateParams): seeds u32[lanes], results u32[lanes]
//   Layers (LayersParams): weights, step, angles f32[capacity,head_dim], cache in-out, x f32[hidden],
//       work in-out, normed f32[hidden]
//   Products (ProductsParams): weights, x i8[hidden], work u32 in-out, out i32[hidden]
//
// Matmul: acc = sum_j code[j] * trit[r,j] in int32, out = float(acc) * (scales[r] * tokens.scale):
//   multiplications only, in this order, so every backend gives the same bits. -128 is a legal
//   input code although the quantiser never emits it. The formula is bitnet-b1.58's BitLinear.
// MatmulHalf: out = scales[r] * sum_j x[j] * trit[r,j], f32 accumulation.
// Norm*: y[j] = x[j] / sqrt(mean(x^2) + epsilon) * gain[j]; quantise: top = max(max|y|, 1e-5),
//   code = rne(y * (127 / top)) (ties to even), scale = top * (1.0f / 127), sum = sum of codes.
//   All CPU rows give the same bits. Sum of x^2: 16 partial sums in double, number i
//   taking j = i mod 16 in order; then i + 8 is added to i < 8, i + 4 to i < 4, i + 2, i + 1. Then
//   r = float(1 / sqrt(sum / k + epsilon)) in double, and y = (x * r) * gain in f32, no contraction.
//   A NaN among the y makes the token's scale NaN, so that it stays visible.
// Add*: x += delta first, stored back. Relu2NormQuant: x[j] = max(gate[j],0)^2 * up[j], gate in
//   columns 0..k-1, up in k..2k-1 of gate_up; f32 throughout, because f16 overflows here.
// Embed: out[t] = the row of token t, for tokens in first ... first + vocab - 1 only (a table larger
//   than a binding is processed in slices).
// Rope: rotates pairs (i, i + head_dim/2) of q (in place) and of k by the angle
//   position * theta^(-2i/head_dim) ("rotate-half"); angles holds per position the cosines in
//   [0, head_dim/2) and the sines in [head_dim/2, head_dim); stores rotated k and v at rows
//   position ... position+m-1 of keys and values. k and v in qkv stay as they are. z[i] cos -
//   z[i + half] sin and z[i + half] cos + z[i] sin in f32, no contraction: all CPU rows write the
//   same cache.
// Attention: query i attends to positions 0..position+i; scores scaled by 1/sqrt(head_dim); query
//   head h reads kv head h / (heads / kv_heads). Rows past the last position are never read into the
//   result, whatever they hold (they hold NaN in tests). An output depends on its query and cache rows
//   alone, not on m or the slice. Head: neither does an output depend on other rows or tokens.
// TopK: part i is the logits [i width, min(n, (i + 1) width)), and gets its `count` largest, best first,
//   as ids (places in all of the logits) and values, bit for bit. Lower ids first among equals; +0 and -0
//   are equal, NaN comes before all numbers. A part with fewer ends in kNoLogit. The best of all parts
//   are among the best of each: the host finds them, and need not be sent the rest.
// Calculate: nothing but arithmetic, for the roofline (bench/arithmetic.h); no model needs it. `lanes` is
//   a multiple of 64. The packing names the unit, all of whose steps are exact or rounded once, so that all
//   devices give the same bits. With s the lane's seed, sum x[i] begins as s (2i + 1) + i, modulo 2^32, and
//   a step is
//     None, 32-bit integers:          x = x (s | 1) + (s >> 3)
//     Int8, dot products of 4 bytes:  x = x + bytes of x . bytes of (s * 0x9E3779B1)
//     Int8x16, products of 16 x 32 by 32 x 16 bytes: x = x + 32 a b, with a = (s & 7) - 3 and b =
//       (s >> 3 & 7) - 3, where s is the seed of the first of each 32 lanes
//   or x[i] begins as (s & 255) + i, and with f = 1/2, or -1/2 where s has bit 31, and c =
//   1 + (s >> 16 & 127) a step is
//     F32:  x = x f + c
//     F16:  the same twice in halves; the second, in the upper bits, begins as (s >> 8 & 255) + i
//   The result is the bits of x[0], times 31 plus those of x[1], and so on, modulo 2^32.
// Layers: every layer of a model for one token, and the final norm: the ops above, one after the other,
//   on q, k, v from x by NormQuant and Matmul; Rope, Attention; NormQuant, Matmul, the residual added;
//   NormQuant, Matmul of gate and up, max(gate,0)^2 up; NormQuant, Matmul, the residual added. Where
//   things lie in weights (Bits2), work and cache is in kernels/layers_layout.h. work holds zeros in its
//   words for meetings and in the mail before and after each run, and what every layer computed after it. A
//   run whose work-groups waited for each other in vain leaves NaN in normed. For shapes that can_run_layers().
// Products: the products of every layer for one token, each of the codes that the one before it made, and
//   nothing else between them: what products and waiting alone cost. No model needs it. Of a layer: q, k, v
//   [qkv_rows, hidden], attention output [hidden, q_rows], gate on top of up [2 ffn, hidden], down
//   [hidden, ffn]. A product is acc[r] = sum_j code[j] * trit[r,j] in int32, and its codes are
//     c[r] = clamp((acc[r] * m + 2^15) >> 16, -64, 63), m = requantise_factor(k), exact in int32;
//   the next product takes code[j] = c[j] ^ c[j + k] ^ c[j + 2k] ^ ... (its own k, as far as there are rows; seven
//   bits and a sign, so the exclusive or is such a code again): every row has its say. The first takes x, any
//   int8; out is acc of the last, or x where there are no layers. Where things lie in weights (Bits2) and work,
//   and m, are in kernels/products_layout.h. work holds zeros before and after each run. A run whose
//   work-groups waited for each other in vain leaves -2^31, which no sum is, in out. For shapes that
//   can_run_products().
// keys, values: [capacity, kv_heads] rows of kv_row_bytes(format, head_dim) bytes each.
// step: u32 { position of the first token, m, token ids... }.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "kernels/packing.h"
#include "kernels/params.h"

namespace rotor {

enum class Op : std::uint8_t {
  Matmul,
  MatmulHalf,
  MatmulDense,
  Embed,
  NormQuant,
  AddNormQuant,
  Relu2NormQuant,
  AddNorm,
  Rope,
  Attention,
  Head,
  TopK,
  Calculate,
  Layers,
  Products,
};
inline constexpr std::size_t kOpCount = 15;

// How a kernel may touch a buffer. Weights are inputs that stay the same from call to call.
enum class Access : std::uint8_t { Read, Write, ReadWrite, Weights };

// What lies in a buffer. Packed: bytes whose meaning the variant's packing says.
enum class Element : std::uint8_t { I8, F16, F32, U32, Token, Packed };

struct BufferSpec {
  std::string_view name;
  Access access;
  Element element;
};

struct Contract {
  std::string_view name;  // "matmul": what file stems and case names begin with
  std::span<const BufferSpec> buffers;
  std::size_t params_bytes;
};

const Contract& contract(Op op);

// Bytes of buffer `index` of `op` under `params` (the op's struct, as bytes) for a variant with
// `packing`. The runtime checks every binding against it, so kernels can trust their pointers.
std::size_t buffer_bytes(Op op, std::size_t index, std::span<const std::byte> params,
                         Packing packing);

// Size of an op's sliced index space, in the unit that the contract of its kernels divides among
// workers: rows of the weight matrix for Matmul*, Head; tokens for norms, Embed and Rope;
// (token, head) pairs, heads fastest, for Attention; parts for TopK; lanes for Calculate.
std::uint32_t index_space(Op op, std::span<const std::byte> params);

// Whether Layers is defined for a shape: hidden, ffn and q rows are multiples of 64 and at most 7168,
// head_dim is a multiple of 16, heads at most 256, head_dim at most 128.
bool can_run_layers(const LayersParams& params);

// Whether Products is defined for a shape: hidden, q_rows and ffn are multiples of 64 and at most 7168, and
// qkv_rows is at least q_rows and at most 2^16.
bool can_run_products(const ProductsParams& params);

// Elements from one row of activation codes (or halves) to the next: k rounded up to 64, the widest
// vector of any backend.
constexpr std::uint32_t activation_stride(std::uint32_t k) {
  return (k + 63) / 64 * 64;
}

// Whose seed a lane of Calculate takes.
constexpr std::uint32_t calculate_seed_of(Packing unit, std::uint32_t lane) {
  return unit == Packing::Int8x16 ? lane / 32 * 32 : lane;
}

// What TopK writes where a part has no more logits: behind everything else.
inline constexpr RankedLogit kNoLogit{0xFFFFFFFFu, -std::numeric_limits<float>::infinity()};

template <typename Params>
std::span<const std::byte> as_bytes(const Params& params) {
  return std::as_bytes(std::span(&params, 1));
}

}  // namespace rotor
