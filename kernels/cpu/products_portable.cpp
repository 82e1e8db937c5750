#include <algorithm>
#include <cstring>

#include "kernels/products_layout.h"
#include "kernels/variant.h"

namespace rotor::cpu {
namespace {

// Codes 0..2 of four columns from each byte: their sum with activations, as they are.
std::int32_t dot(const std::uint8_t* weights, const std::int8_t* codes, std::size_t k) {
  std::int32_t acc = 0;
  for (std::size_t word = 0; word < k / 16; ++word) {
    for (std::size_t i = 0; i < 16; ++i) {
      const unsigned byte = weights[4 * word + i % 4];
      acc += static_cast<std::int32_t>(byte >> 2 * (i / 4) & 3) * codes[16 * word + i];
    }
  }
  return acc;
}

std::int8_t requantise(std::int32_t acc, std::int32_t factor) {
  return static_cast<std::int8_t>(std::clamp((acc * factor + 32768) >> 16, -64, 63));
}

}  // namespace

// One product after the other. The codes of each are made into those of the next in scratch; the last leaves
// its sums in `out`.
void products_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<ProductsParams>();
  const auto* weights = call.buffer<const std::uint8_t>(0);
  const auto* x = call.buffer<const std::int8_t>(1);  // [hidden]
  auto* out = call.buffer<std::int32_t>(3);           // [hidden]
  auto* codes = reinterpret_cast<std::int8_t*>(call.scratch);
  auto* next = codes + kScratchBytes / 2;
  std::copy_n(x, p.hidden, codes);
  std::copy_n(x, p.hidden, out);
  const std::uint32_t products = kProductsOfLayer * p.layers;
  for (std::uint32_t number = 0; number < products; ++number) {
    const std::uint32_t kind = number % kProductsOfLayer;
    const std::uint32_t layer = number / kProductsOfLayer;
    const std::uint32_t k = product_inputs(p, kind);
    const std::uint32_t next_k = product_inputs(p, (kind + 1) % kProductsOfLayer);
    const std::size_t units = std::size_t{layer} * product_units(p, kProductsOfLayer);
    const std::uint8_t* matrix = weights + kLayoutUnit * (units + product_units(p, kind));
    const auto factor = static_cast<std::int32_t>(requantise_factor(k));
    std::int32_t sum = 0;
    for (std::size_t j = 0; j < k; ++j) sum += codes[j];
    std::memset(next, 0, next_k);
    for (std::size_t r = 0; r < product_rows(p, kind); ++r) {
      const std::int32_t acc = dot(matrix + r * (k / 4), codes, k) - sum;
      next[r % next_k] = static_cast<std::int8_t>(next[r % next_k] ^ requantise(acc, factor));
      if (number + 1 == products) out[r] = acc;
    }
    std::swap(codes, next);
  }
}

}  // namespace rotor::cpu
