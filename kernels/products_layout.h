// Where things lie in the buffers of Products, and its arithmetic between products: one text for C++,
// OpenCL C and GLSL. Offsets count units of 16 bytes, where they do not say otherwise.
#ifndef ROTOR_KERNELS_PRODUCTS_LAYOUT_H
#define ROTOR_KERNELS_PRODUCTS_LAYOUT_H

#include "kernels/layout.h"

#ifdef __cplusplus
namespace rotor {
#endif

// The products of a layer, in order: q, k, v; the output of attention; gate on top of up; down.
ROTOR_CONSTANT uint kProductsOfLayer = 4u;

ROTOR_SHARED uint product_rows(ProductsParams p, uint kind) {
  return kind == 0u ? p.qkv_rows : kind == 2u ? 2u * p.ffn : p.hidden;
}
ROTOR_SHARED uint product_inputs(ProductsParams p, uint kind) {
  return kind == 1u ? p.q_rows : kind == 3u ? p.ffn : p.hidden;
}

// Where the matrix of product `kind` begins within its layer; the layer ends at that of kind 4.
ROTOR_SHARED uint product_units(ProductsParams p, uint kind) {
  uint at = 0u;
  for (uint i = 0u; i < kind; ++i) at += matrix_units(product_rows(p, i), product_inputs(p, i));
  return at;
}
// Behind the last layer a part is left: kernels may read up to its end past a row, and weights of no layers
// can be bound.
ROTOR_SHARED uint products_weights_units(ProductsParams p) {
  return p.layers * product_units(p, kProductsOfLayer) + kPartUnits;
}

// Working memory: words for meetings, then the mail of each layer, all zero before and after a run. Mail is
// what work-groups tell each other: four codes a word, seven bits and one that says that it has arrived
// each. Where that of product `kind`, a code a row, begins within its layer, in words:
ROTOR_SHARED uint product_mail(ProductsParams p, uint kind) {
  uint at = 0u;
  for (uint i = 0u; i < kind; ++i) at += 4u * float_units((product_rows(p, i) + 3u) / 4u);
  return at;
}
ROTOR_SHARED uint products_work_units(ProductsParams p) {
  return kMeetUnits + p.layers * (product_mail(p, kProductsOfLayer) / 4u);
}

// What sums of k products are multiplied with, 2^16 times: the largest m with m^2 <= 27 * 2^28 / k (a multiple
// of 64). Where a third of the weights is zero, codes then keep their magnitude: it would grow by 6 % a
// product if they had no bounds.
ROTOR_SHARED uint requantise_factor(uint k) {
  uint square = 113246208u / (k / 64u);
  uint m = 0u;
  for (uint bit = 1u << 14u; bit != 0u; bit >>= 1u) {
    if ((m + bit) * (m + bit) <= square) m += bit;
  }
  return m;
}

#ifdef __cplusplus
}  // namespace rotor
#endif

#endif  // ROTOR_KERNELS_PRODUCTS_LAYOUT_H
