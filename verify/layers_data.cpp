#include "verify/layers_data.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "core/random.h"
#include "core/ternary.h"
#include "kernels/layers_layout.h"
#include "verify/cases.h"

namespace rotor {
namespace {

using Weights = LayerData::Weights;

// Of a layer: its data takes some 100 MB while it is looked at.
constexpr unsigned kMostThreads = 16;

Weights make_weights(Random& random, std::uint32_t n, std::uint32_t k, float scale) {
  Weights w{std::vector<std::int8_t>(std::size_t{n} * k), std::vector<float>(n), n, k};
  // Eight from a number, a byte each; k is a multiple of 64.
  for (std::size_t i = 0; i < w.trits.size(); i += 8) {
    const std::uint64_t bits = random.bits();
    for (unsigned j = 0; j < 8; ++j) {
      w.trits[i + j] =
          static_cast<std::int8_t>(static_cast<int>((bits >> 8 * j & 0xFF) * 3 >> 8) - 1);
    }
  }
  // The first rows reach the largest sums.
  for (std::uint32_t r = 0; r < std::min(n, 2u); ++r) {
    std::fill_n(w.trits.begin() + static_cast<std::ptrdiff_t>(std::size_t{r} * k), k,
                static_cast<std::int8_t>(r == 0 ? 1 : -1));
  }
  for (float& s : w.scales) s = scale * static_cast<float>(0.5 + random.uniform());
  return w;
}

std::vector<float> make_gain(Random& random, std::uint32_t k) {
  std::vector<float> gain(k);
  for (float& g : gain) {
    g = static_cast<float>(0.5 + random.uniform());
    if (random.below(16) == 0) g = random.below(2) == 0 ? -g : 0;
  }
  return gain;
}

// Values of a stream are so large. The squares of Vast are beyond what a float holds; normed, those of
// Tiny are below the least that the quantiser takes for the largest.
float size_of(Stream stream) {
  switch (stream) {
    case Stream::Zeros:
      return 0;
    case Stream::Huge:
      return 2e3f;
    case Stream::Vast:
      return 1e20f;
    case Stream::Tiny:
      return 1e-8f;
    case Stream::Normal:
    case Stream::Outlier:
      break;
  }
  return 1;
}

std::vector<float> make_stream(Random& random, Stream stream, std::uint32_t k) {
  std::vector<float> x(k);
  for (float& v : x) v = normal(random) * size_of(stream);
  if (stream == Stream::Outlier) x[random.below(k)] = 300;
  return x;
}

// Random rows up to the position, NaN bytes from there on.
Bytes make_cache(const LayersCase& c, std::uint64_t seed) {
  const LayersParams& p = c.params;
  const std::size_t half = std::size_t{kLayoutUnit} * cache_half_units(p, row_words_of(c));
  Bytes cache(2 * p.layers * half, std::byte{0xFF});
  for_each_of(2 * p.layers, [&](std::uint32_t h) {
    Random random(seed ^ mix(h));
    std::vector<float> row(p.head_dim);
    for (std::uint32_t i = 0; i < c.position * p.kv_heads; ++i) {
      for (float& v : row) v = normal(random);
      const Bytes bytes = reference::encode_row(c.packing, row);
      std::copy(bytes.begin(), bytes.end(),
                cache.begin() + static_cast<std::ptrdiff_t>(h * half + i * bytes.size()));
    }
  });
  return cache;
}

void put(Bytes& bytes, std::uint32_t units, std::span<const float> values) {
  const auto from = std::as_bytes(values);
  std::copy(from.begin(), from.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(std::size_t{kLayoutUnit} * units));
}

void put(Bytes& bytes, std::uint32_t units, Weights& w) {
  const Bytes packed = pack(TernaryMatrix(w.n, w.k, std::move(w.trits), 1.0f), Packing::Bits2);
  std::copy(packed.begin(), packed.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(std::size_t{kLayoutUnit} * units));
}

}  // namespace

void for_each_of(std::uint32_t count, const std::function<void(std::uint32_t)>& body) {
  std::atomic<std::uint32_t> next = 0;
  const auto work = [&] {
    for (std::uint32_t i = next++; i < count; i = next++) body(i);
  };
  const unsigned threads =
      std::min({count, kMostThreads, std::max(1u, std::thread::hardware_concurrency())});
  std::vector<std::jthread> others;
  for (unsigned t = 1; t < threads; ++t) others.emplace_back(work);
  work();
}

std::uint32_t row_words_of(const LayersCase& c) {
  return static_cast<std::uint32_t>(row_bytes(c.packing, c.params.head_dim) / 4);
}

LayerData make_layer(const LayersParams& p, std::uint64_t weights_seed, std::uint32_t layer) {
  Random random(weights_seed ^ mix(layer));
  // Scores of queries and keys are a few units wide, so that attention is neither flat nor a choice of
  // one.
  const auto wide = [](std::uint32_t k) { return 0.03f / std::sqrt(static_cast<float>(k)); };
  return {make_weights(random, qkv_rows(p), p.hidden, wide(p.hidden)),
          make_weights(random, p.hidden, q_rows(p), wide(q_rows(p))),
          make_weights(random, 2 * p.ffn, p.hidden, wide(p.hidden)),
          make_weights(random, p.hidden, p.ffn, wide(p.ffn)),
          make_gain(random, p.hidden),
          make_gain(random, q_rows(p)),
          make_gain(random, p.hidden),
          make_gain(random, p.ffn)};
}

std::vector<float> make_final_norm(const LayersParams& p, std::uint64_t weights_seed) {
  Random random(~weights_seed);
  return make_gain(random, p.hidden);
}

LayersCase make_layers_case(Packing packing, std::uint64_t seed, std::uint64_t weights_seed,
                            const LayersParams& params, std::uint32_t position, Stream stream) {
  LayersCase c{.params = params,
               .packing = packing,
               .position = position,
               .weights_seed = weights_seed,
               .final_norm = make_final_norm(params, weights_seed),
               .angles = make_angles(params.capacity, params.head_dim),
               .x = {},
               .cache = {}};
  Random random(mix(seed) ^ mix(position) ^ params.hidden ^ (params.heads << 16));
  c.x = make_stream(random, stream, params.hidden);
  c.cache = make_cache(c, random.bits());
  return c;
}

Bytes pack_layers(const LayersParams& p, std::uint64_t weights_seed) {
  const LayerParts at = layer_parts(p);
  Bytes bytes(std::size_t{kLayoutUnit} * weights_units(p));
  for_each_of(p.layers, [&](std::uint32_t i) {
    LayerData layer = make_layer(p, weights_seed, i);
    const std::uint32_t base = i * at.end;
    put(bytes, base + at.qkv, layer.qkv);
    put(bytes, base + at.attention_out, layer.attention_out);
    put(bytes, base + at.gate_up, layer.gate_up);
    put(bytes, base + at.down, layer.down);
    put(bytes, base + at.qkv_scales, layer.qkv.scales);
    put(bytes, base + at.attention_out_scales, layer.attention_out.scales);
    put(bytes, base + at.gate_up_scales, layer.gate_up.scales);
    put(bytes, base + at.down_scales, layer.down.scales);
    put(bytes, base + at.input_norm, layer.input_norm);
    put(bytes, base + at.attention_norm, layer.attention_norm);
    put(bytes, base + at.post_norm, layer.post_norm);
    put(bytes, base + at.ffn_norm, layer.ffn_norm);
  });
  put(bytes, p.layers * at.end, make_final_norm(p, weights_seed));
  return bytes;
}

}  // namespace rotor
