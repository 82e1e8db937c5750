// Running CPU rows of the registry on plain memory: what the kernel tests share.
#pragma once

#include <cassert>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include "core/random.h"
#include "kernels/host_features.h"
#include "kernels/variant.h"

namespace rotor {

// The CPU rows of `op` that this machine can run, in order of preference.
inline std::vector<const KernelVariant*> rows_here(Op op) {
  std::vector<const KernelVariant*> rows;
  for (const KernelVariant& row : variants()) {
    if (row.backend == Backend::Cpu && row.op == op && (row.needs & ~host_features()) == 0) {
      rows.push_back(&row);
    }
  }
  return rows;
}

// Runs a row over its whole index space, cut into slices at `cuts` (rising). Scratch holds NaN.
template <typename Params>
void run_row(const KernelVariant& row, std::initializer_list<const void*> buffers,
             const Params& params, const std::vector<std::uint32_t>& cuts = {}) {
  assert(buffers.size() == contract(row.op).buffers.size());
  std::vector<std::byte*> pointers;
  for (const void* b : buffers) {
    pointers.push_back(const_cast<std::byte*>(static_cast<const std::byte*>(b)));
  }
  const std::unique_ptr<void, decltype(&std::free)> scratch(std::aligned_alloc(64, kScratchBytes),
                                                            &std::free);
  std::vector<std::uint32_t> ends = cuts;
  ends.push_back(index_space(row.op, as_bytes(params)));
  std::uint32_t begin = 0;
  for (const std::uint32_t end : ends) {
    std::memset(scratch.get(), 0xFF, kScratchBytes);
    row.cpu({pointers.data(), &params, begin, end, static_cast<std::byte*>(scratch.get())});
    begin = end;
  }
}

// Numbers of both signs, most of them near 0, up to about 3.5 * scale.
inline std::vector<float> random_floats(std::size_t count, float scale, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& v : values) {
    v = scale *
        static_cast<float>(2 * (random.uniform() + random.uniform() + random.uniform()) - 3);
  }
  return values;
}

// Table or cache rows of `columns` floats each, as bytes of `packing`.
inline std::vector<std::byte> encode_rows(Packing packing, const std::vector<float>& values,
                                          std::uint32_t columns) {
  const std::size_t bytes = row_bytes(packing, columns);
  std::vector<std::byte> rows(values.size() / columns * bytes);
  for (std::size_t r = 0; r < values.size() / columns; ++r) {
    encode_row(packing, std::span(values).subspan(r * columns, columns),
               std::span(rows).subspan(r * bytes, bytes));
  }
  return rows;
}

// What the rows say: the floats that a kernel must compute with.
inline std::vector<float> decode_rows(Packing packing, const std::vector<std::byte>& rows,
                                      std::uint32_t columns) {
  const std::size_t bytes = row_bytes(packing, columns);
  std::vector<float> values(rows.size() / bytes * columns);
  for (std::size_t r = 0; r < rows.size() / bytes; ++r) {
    decode_row(packing, std::span(rows).subspan(r * bytes, bytes),
               std::span(values).subspan(r * columns, columns));
  }
  return values;
}

}  // namespace rotor
