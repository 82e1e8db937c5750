// Parameter structs of the ops: one text for C++, OpenCL C and GLSL. 32-bit scalars only, so the
// layout is the same for all three readers. What they mean is in kernels/ops.h.
#ifndef ROTOR_KERNELS_PARAMS_H
#define ROTOR_KERNELS_PARAMS_H

#ifdef __cplusplus
#include <cstdint>
namespace rotor {
using uint = std::uint32_t;
#endif

// m tokens, n output features, k input features. Activation rows are `stride` elements apart and
// zero from k to stride.
struct MatmulParams {
  uint m;
  uint n;
  uint k;
  uint stride;
};

// One row of k elements per token; codes are written with a row stride of `stride`.
struct NormParams {
  uint m;
  uint k;
  uint stride;
  float epsilon;
};

// Token ids come from the step buffer. The table holds the rows first ... first + vocab - 1; tokens
// of other slices are left alone.
struct EmbedParams {
  uint m;
  uint k;
  uint first;
  uint vocab;
};

// qkv rows are (heads + 2 * kv_heads) * head_dim wide; the cache holds `capacity` positions.
struct AttentionParams {
  uint m;
  uint heads;
  uint kv_heads;
  uint head_dim;
  uint capacity;
};

// n rows of the table (a slice of the vocabulary), logits written with a row stride of `out_stride`.
struct HeadParams {
  uint m;
  uint n;
  uint k;
  uint out_stride;
};

// All layers of a model, for one token. q rows are heads * head_dim wide.
struct LayersParams {
  uint layers;
  uint hidden;
  uint ffn;
  uint heads;
  uint kv_heads;
  uint head_dim;
  uint capacity;
  float epsilon;
};

// The products of all layers of a model, for one token, and nothing between them.
struct ProductsParams {
  uint layers;
  uint hidden;
  uint q_rows;
  uint qkv_rows;
  uint ffn;
};

// The `count` largest of each part of `width` logits, of `n` in all.
struct TopKParams {
  uint n;
  uint width;
  uint count;
};

// `lanes` calculations, each of `rounds` times ROTOR_STEPS steps of ROTOR_SUMS independent sums.
#define ROTOR_SUMS 8
#define ROTOR_STEPS 16
struct CalculateParams {
  uint lanes;
  uint rounds;
};

// A logit that TopK found.
struct RankedLogit {
  uint id;
  float value;
};

// What the quantiser keeps per token beside its int8 codes.
struct TokenScale {
  float scale;  // a: value = code * a
  int sum;      // sum of the codes of the token
};

#ifdef __cplusplus
}  // namespace rotor
#endif

#if defined(__OPENCL_VERSION__)
typedef struct MatmulParams MatmulParams;
typedef struct NormParams NormParams;
typedef struct EmbedParams EmbedParams;
typedef struct AttentionParams AttentionParams;
typedef struct HeadParams HeadParams;
typedef struct LayersParams LayersParams;
typedef struct ProductsParams ProductsParams;
typedef struct TopKParams TopKParams;
typedef struct CalculateParams CalculateParams;
typedef struct RankedLogit RankedLogit;
typedef struct TokenScale TokenScale;
#endif

#endif  // ROTOR_KERNELS_PARAMS_H
