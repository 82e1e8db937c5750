#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "verify/cases.h"

// TopK: logits with everything that makes an order hard.

namespace rotor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct LogitKind {
  const char* name;
  std::function<float(Random& random, std::uint32_t id)> value;
};

const LogitKind kKinds[] = {
    {"uniform", [](Random& r, std::uint32_t) { return static_cast<float>(20 * r.uniform() - 10); }},
    {"few_values", [](Random& r, std::uint32_t) { return static_cast<float>(r.below(3)) - 1; }},
    {"all_equal", [](Random&, std::uint32_t) { return -2.5f; }},
    {"ascending", [](Random&, std::uint32_t id) { return static_cast<float>(id) - 100; }},
    {"descending", [](Random&, std::uint32_t id) { return 100 - static_cast<float>(id); }},
    {"zeros", [](Random& r, std::uint32_t) { return r.below(2) == 0 ? 0.0f : -0.0f; }},
    {"hostile",
     [](Random& r, std::uint32_t) {
       constexpr float kHostile[] = {kInfinity,
                                     -kInfinity,
                                     std::numeric_limits<float>::quiet_NaN(),
                                     -std::numeric_limits<float>::quiet_NaN(),
                                     std::numeric_limits<float>::denorm_min(),
                                     -std::numeric_limits<float>::denorm_min(),
                                     0.0f,
                                     -0.0f,
                                     std::numeric_limits<float>::max(),
                                     std::numeric_limits<float>::lowest()};
       return kHostile[r.below(std::size(kHostile))];
     }},
};

// Ids of one part, best first; a stable sort keeps lower ids first.
std::vector<RankedLogit> sorted_part(std::span<const float> logits, std::uint32_t begin,
                                     std::uint32_t end) {
  std::vector<std::uint32_t> ids(end - begin);
  std::iota(ids.begin(), ids.end(), begin);
  std::stable_sort(ids.begin(), ids.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (std::isnan(logits[a]) || std::isnan(logits[b])) {
      return std::isnan(logits[a]) && !std::isnan(logits[b]);
    }
    return logits[a] > logits[b];
  });
  std::vector<RankedLogit> part;
  for (const std::uint32_t id : ids) part.push_back({id, logits[id]});
  return part;
}

Launch top_k_launch(const LogitKind& kind, std::uint64_t seed, const TopKParams& p) {
  Random random(mix(seed) ^ mix(p.n) ^ fnv1a(kind.name));
  std::vector<float> logits(p.n);
  for (std::uint32_t id = 0; id < p.n; ++id) logits[id] = kind.value(random, id);
  std::vector<RankedLogit> want;
  for (std::uint32_t begin = 0; begin < p.n; begin += p.width) {
    std::vector<RankedLogit> part = sorted_part(logits, begin, std::min(p.n, begin + p.width));
    part.resize(p.count, kNoLogit);
    want.insert(want.end(), part.begin(), part.end());
  }
  Launch launch;
  launch.distribution = kind.name;
  launch.shape = "n=" + std::to_string(p.n) + " width=" + std::to_string(p.width) +
                 " count=" + std::to_string(p.count);
  launch.seed = seed;
  launch.digest = digest(std::as_bytes(std::span(logits)));
  const auto params = as_bytes(p);
  launch.params = {params.begin(), params.end()};
  launch.buffers = {to_bytes(logits), {}};
  launch.judge = [want = std::move(want), count = p.count](After after) {
    const auto got = view_as<RankedLogit>(after[1]);
    Comparison result;
    for (std::uint32_t i = 0; i < want.size(); ++i) {
      const bool same = std::memcmp(&want[i], &got[i], sizeof got[i]) == 0;
      result.add(i / count, i % count, want[i].id, got[i].id, same);
    }
    return result;
  };
  return launch;
}

}  // namespace

std::vector<Launch> top_k_battery(const KernelVariant&, std::uint64_t seed) {
  constexpr TopKParams kShapes[] = {{1, 1, 1},    {7, 7, 2},      {7, 3, 5},       {64, 64, 1},
                                    {257, 64, 3}, {1003, 257, 9}, {4099, 2004, 33}};
  std::vector<Launch> launches;
  for (const LogitKind& kind : kKinds) {
    for (const TopKParams& shape : kShapes) launches.push_back(top_k_launch(kind, seed, shape));
  }
  return launches;
}

}  // namespace rotor
