#include "verify/cases.h"

// Calculate: seeds of every kind, and numbers of rounds of which each gives something else.

namespace rotor {
namespace {

struct SeedKind {
  const char* name;
  std::function<std::uint32_t(Random& random, std::uint32_t lane)> value;
};

const SeedKind kKinds[] = {
    {"uniform", [](Random& r, std::uint32_t) { return static_cast<std::uint32_t>(r.bits()); }},
    {"zeros", [](Random&, std::uint32_t) { return 0u; }},
    {"all_ones", [](Random&, std::uint32_t) { return 0xFFFFFFFFu; }},
    {"one_bit", [](Random&, std::uint32_t lane) { return 1u << lane % 32; }},
    {"ascending", [](Random&, std::uint32_t lane) { return lane; }},
};

Launch calculate_launch(const SeedKind& kind, Packing unit, std::uint64_t seed,
                        const CalculateParams& p) {
  Random random(mix(seed) ^ mix(p.lanes) ^ fnv1a(kind.name));
  std::vector<std::uint32_t> seeds(p.lanes);
  for (std::uint32_t lane = 0; lane < p.lanes; ++lane) seeds[lane] = kind.value(random, lane);
  std::vector<std::uint32_t> want(p.lanes);
  for (std::uint32_t lane = 0; lane < p.lanes; ++lane) {
    want[lane] = reference::calculate(unit, seeds[calculate_seed_of(unit, lane)], p.rounds);
  }
  Launch launch;
  launch.distribution = kind.name;
  launch.shape = "lanes=" + std::to_string(p.lanes) + " rounds=" + std::to_string(p.rounds);
  launch.seed = seed;
  launch.digest = digest(std::as_bytes(std::span(seeds)));
  const auto params = as_bytes(p);
  launch.params = {params.begin(), params.end()};
  launch.buffers = {to_bytes(seeds), {}};
  launch.judge = [want = std::move(want)](After after) {
    const auto got = view_as<std::uint32_t>(after[1]);
    Comparison result;
    for (std::uint32_t lane = 0; lane < want.size(); ++lane) {
      result.add(lane, 0, want[lane], got[lane], want[lane] == got[lane]);
    }
    return result;
  };
  return launch;
}

}  // namespace

std::vector<Launch> calculate_battery(const KernelVariant& variant, std::uint64_t seed) {
  constexpr CalculateParams kShapes[] = {{64, 0}, {64, 1}, {128, 2}, {320, 3}, {1088, 17}};
  std::vector<Launch> launches;
  for (const SeedKind& kind : kKinds) {
    for (const CalculateParams& shape : kShapes) {
      launches.push_back(calculate_launch(kind, variant.packing, seed, shape));
    }
  }
  return launches;
}

}  // namespace rotor
