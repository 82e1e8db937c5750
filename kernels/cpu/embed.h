// Embedding of tokens, for any format of table row.
#pragma once

#include "kernels/cpu/float_rows.h"
#include "kernels/variant.h"

namespace rotor::cpu {

template <typename Row>
void embed(const CpuCall& call) noexcept {
  const auto& p = call.parameters<EmbedParams>();
  const std::byte* table = call.buffer<const std::byte>(0);            // [vocab] rows
  const std::uint32_t* ids = call.buffer<const std::uint32_t>(1) + 2;  // [m]
  float* out = call.buffer<float>(2);                                  // [m, k]
  const std::size_t bytes = row_bytes(Row::kPacking, p.k);
  for (std::size_t t = call.begin; t < call.end; ++t) {
    if (ids[t] < p.first || ids[t] - p.first >= p.vocab) continue;  // of another slice
    const Row row(table + (ids[t] - p.first) * bytes, p.k);
    for (std::size_t j = 0; j < p.k; ++j) out[t * p.k + j] = row[j];
  }
}

}  // namespace rotor::cpu
