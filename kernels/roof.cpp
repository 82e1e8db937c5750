#include "kernels/roof.h"

#include <algorithm>
#include <cstring>

namespace rotor {
namespace {

// Vectors of 16 bytes are what every 64-bit CPU has; GCC and Clang know them without intrinsics.
using Words = std::uint64_t __attribute__((vector_size(16)));
using Floats = float __attribute__((vector_size(16)));
using Ints = std::int32_t __attribute__((vector_size(16)));
constexpr std::size_t kSums = 8;
constexpr std::size_t kLanes = 4;

std::uint64_t read_portable(const std::byte* data, std::size_t bytes) noexcept {
  Words sums[kSums] = {};
  constexpr std::size_t kEach = kSums / kRoofStreams;  // vectors of a stream at a time
  const std::size_t stream = bytes / kRoofStreams;
  for (std::size_t at = 0; at < stream; at += kEach * sizeof sums[0]) {
    for (std::size_t i = 0; i < kSums; ++i) {
      Words word;
      std::memcpy(&word, data + i / kEach * stream + at + i % kEach * sizeof word, sizeof word);
      sums[i] ^= word;
    }
  }
  for (std::size_t i = 1; i < kSums; ++i) sums[0] ^= sums[i];
  return folded(&sums[0], sizeof sums[0]);
}

template <typename Vector>
std::uint64_t multiply_add(std::uint64_t blocks) noexcept {
  Vector sums[kSums] = {};
  Vector factor = Vector{} + 1;
  ROTOR_OPAQUE(factor);
  ROTOR_OPAQUE(sums);
  for (std::uint64_t block = 0; block < blocks; ++block) {
    for (std::size_t i = 0; i < kSums; ++i) sums[i] = sums[i] * factor + factor;
  }
  for (std::size_t i = 1; i < kSums; ++i) sums[0] += sums[i];
  return folded(&sums[0], sizeof sums[0]);
}

}  // namespace

RoofKernels roof_kernels(Features features) {
  constexpr double kOps = 2.0 * kSums * kLanes;
  RoofKernels out{
      nullptr, {{"fp32_fma", kOps, multiply_add<Floats>}, {"int32_mad", kOps, multiply_add<Ints>}}};
  for (const RoofLevel& level : roof_levels()) {
    if ((level.needs & ~features) != 0) continue;
    if (out.read == nullptr) out.read = level.read;
    for (const RoofArithmetic& better : level.arithmetic) {
      const auto same =
          std::find_if(out.arithmetic.begin(), out.arithmetic.end(),
                       [&](const RoofArithmetic& a) { return a.kind == better.kind; });
      if (same == out.arithmetic.end()) {
        out.arithmetic.push_back(better);
      } else if (same->run == multiply_add<Floats>) {  // levels come best first
        *same = better;
      }
    }
  }
  if (out.read == nullptr) out.read = read_portable;
  return out;
}

}  // namespace rotor
