#include <algorithm>
#include <bit>

#include "kernels/variant.h"

namespace rotor::cpu {
namespace {

// Orders as floats do, with +0 = -0, and NaN above all.
std::uint32_t rank(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0xFFFFFFFFu;  // NaN
  if (bits == 0x80000000u) return 0x80000000u;                 // -0
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// Insertion into the sorted list of the best so far: few logits of many get into it.
void best_of(const float* logits, std::uint32_t begin, std::uint32_t end, std::uint32_t count,
             RankedLogit* best) {
  std::uint32_t held = 0;
  for (std::uint32_t id = begin; id < end; ++id) {
    const std::uint32_t mine = rank(logits[id]);
    if (held == count && mine <= rank(best[count - 1].value)) continue;
    std::uint32_t place = held < count ? held++ : count - 1;
    for (; place > 0 && rank(best[place - 1].value) < mine; --place) best[place] = best[place - 1];
    best[place] = {id, logits[id]};
  }
  std::fill(best + held, best + count, kNoLogit);
}

}  // namespace

void top_k_portable(const CpuCall& call) noexcept {
  const auto& p = call.parameters<TopKParams>();
  const float* logits = call.buffer<float>(0);
  auto* best = call.buffer<RankedLogit>(1);  // [parts, count]
  for (std::uint32_t part = call.begin; part < call.end; ++part) {
    const std::uint32_t begin = part * p.width;
    const std::uint32_t end = std::min(p.width, p.n - begin) + begin;
    best_of(logits, begin, end, p.count, best + std::size_t{part} * p.count);
  }
}

}  // namespace rotor::cpu
