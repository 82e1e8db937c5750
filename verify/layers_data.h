// What Layers is checked and timed on: weights, gains, a cache, a token. Weights are made again whenever
// they are looked at, layer by layer: those of a model of real size are too many to keep as trits.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/ops.h"
#include "verify/launches.h"

namespace rotor {

inline constexpr std::uint32_t kSpareRows = 3;  // of the cache, behind the position
inline constexpr float kLayersEpsilon = 1e-5f;

enum class Stream : std::uint8_t { Normal, Outlier, Zeros, Huge, Vast, Tiny };

struct LayerData {
  struct Weights {
    std::vector<std::int8_t> trits;  // [n, k]
    std::vector<float> scales;       // [n]
    std::uint32_t n = 0;
    std::uint32_t k = 0;
  };
  Weights qkv, attention_out, gate_up, down;
  std::vector<float> input_norm, attention_norm, post_norm, ffn_norm;
};

struct LayersCase {
  LayersParams params;
  Packing packing;
  std::uint32_t position;
  std::uint64_t weights_seed;
  std::vector<float> final_norm;
  std::vector<float> angles;
  std::vector<float> x;
  Bytes cache;
};

// params.capacity must hold the position and kSpareRows more.
LayersCase make_layers_case(Packing packing, std::uint64_t seed, std::uint64_t weights_seed,
                            const LayersParams& params, std::uint32_t position, Stream stream);
// The same for the same seed; each layer has its own.
LayerData make_layer(const LayersParams& params, std::uint64_t weights_seed, std::uint32_t layer);
std::vector<float> make_final_norm(const LayersParams& params, std::uint64_t weights_seed);
// As the contract lays them.
Bytes pack_layers(const LayersParams& params, std::uint64_t weights_seed);

// 32-bit words of a row of the cache.
std::uint32_t row_words_of(const LayersCase& c);

// Calls body(i) for every i below `count`, on all cores of the host.
void for_each_of(std::uint32_t count, const std::function<void(std::uint32_t)>& body);

}  // namespace rotor
