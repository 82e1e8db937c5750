// Checkpoints made by a generator, so that no file is needed (verify/goldens/README.md).
#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <mutex>

#include "core/error.h"
#include "core/half.h"
#include "core/random.h"
#include "model/checkpoints.h"
#include "model/config.h"
#include "model/parallel.h"
#include "model/tensor_names.h"

namespace rotor {
namespace {

struct Preset {
  std::string_view name;
  std::uint32_t vocab, hidden, ffn, layers, heads, kv_heads;
};
constexpr Preset kPresets[] = {
    {"odd", 1003, 384, 1152, 3, 12, 3},
    {"2b4t-2layer", 128256, 2560, 6912, 2, 20, 5},
    {"2b4t", 128256, 2560, 6912, 30, 20, 5},
};

Config preset_config(const Preset& preset) {
  Config config;
  config.vocab = preset.vocab;
  config.hidden = preset.hidden;
  config.ffn = preset.ffn;
  config.layers = preset.layers;
  config.heads = preset.heads;
  config.kv_heads = preset.kv_heads;
  config.head_dim = preset.hidden / preset.heads;
  config.max_positions = 4096;
  config.rope_theta = 500000;
  config.norm_epsilon = 1e-5f;
  config.tied_head = true;
  if (preset.vocab == 128256) {  // Llama-3's
    config.bos = 128000;
    config.stop_tokens = {128001};
  }
  complete_stop_tokens(config);
  return config;
}

float uniform(std::uint64_t bits) {
  return static_cast<float>(bits >> 40) * 0x1p-24f;
}

class SyntheticCheckpoint : public Checkpoint {
 public:
  SyntheticCheckpoint(const Preset& preset, std::uint64_t seed)
      : config_(preset_config(preset)),
        seed_(seed),
        description_("synthetic " + std::string(preset.name) + ", seed " + std::to_string(seed)) {}

  const Config& config() const override { return config_; }
  std::string description() const override { return description_; }

  TernaryMatrix projection(std::uint32_t layer, Projection which) const override {
    const auto [n, k] = projection_shape(config_, which);
    const std::uint64_t first = key(hf_name(layer, which));
    std::vector<std::int8_t> trits(std::size_t{n} * k);
    for (std::size_t i = 0; i < trits.size(); ++i) {
      trits[i] = static_cast<std::int8_t>(static_cast<int>((mix(first + i) >> 32) * 3 >> 32) - 1);
    }
    return {n, k, std::move(trits), synthetic_scale(k)};
  }

  std::vector<float> norm(std::uint32_t layer, Norm which) const override {
    return gains(hf_name(layer, which), norm_size(config_, which));
  }
  std::vector<float> final_norm() const override { return gains(kHfFinalNorm, config_.hidden); }

  Table embedding() const override {
    std::call_once(embedding_made_, [this] { make_embedding(); });
    const std::size_t elements = std::size_t{config_.vocab} * config_.hidden;
    return {Packing::Bf16, config_.vocab, config_.hidden,
            std::as_bytes(std::span(embedding_.get(), elements)), embedding_};
  }
  Table head() const override { return embedding(); }

 private:
  // Element i of a tensor is a function of mix(key(name) + i).
  std::uint64_t key(std::string_view name) const { return fnv1a(name) ^ mix(seed_); }

  std::vector<float> gains(std::string_view name, std::uint32_t size) const {
    const std::uint64_t first = key(name);
    std::vector<float> result(size);
    for (std::uint32_t i = 0; i < size; ++i) {
      const float gain = 1 + (uniform(mix(first + i)) - 0.5f) * 0.2f;
      result[i] = bf16_to_f32(f32_to_bf16(gain));
    }
    return result;
  }

  void make_embedding() const {
    const std::size_t elements = std::size_t{config_.vocab} * config_.hidden;
    // Not a vector: filling 656 MB with zeros first would double the time.
    embedding_ = std::make_shared_for_overwrite<std::uint16_t[]>(elements);
    const std::uint64_t first = key(kHfEmbedding);
    in_slices(elements, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        embedding_[i] = f32_to_bf16((2 * uniform(mix(first + i)) - 1) * 0.4330127f);
      }
    });
  }

  Config config_;
  std::uint64_t seed_;
  std::string description_;
  mutable std::once_flag embedding_made_;
  mutable std::shared_ptr<std::uint16_t[]> embedding_;  // [vocab, hidden] bf16
};

[[noreturn]] void refuse(std::string_view text) {
  std::string names;
  for (const Preset& preset : kPresets) {
    names += (names.empty() ? "" : ", ") + std::string(preset.name);
  }
  throw UsageError("synthetic:" + std::string(text) +
                   ": expected synthetic:PRESET/SEED with a preset of " + names +
                   " and an unsigned seed, for example synthetic:odd/1");
}

}  // namespace

float synthetic_scale(std::uint32_t k) {
  return bf16_to_f32(f32_to_bf16(static_cast<float>(std::sqrt(1.5 / k))));
}

std::unique_ptr<Checkpoint> open_synthetic(std::string_view preset_and_seed) {
  const std::size_t slash = preset_and_seed.find('/');
  if (slash == std::string_view::npos) refuse(preset_and_seed);
  const std::string_view name = preset_and_seed.substr(0, slash);
  const std::string_view digits = preset_and_seed.substr(slash + 1);
  const auto* preset = std::find_if(std::begin(kPresets), std::end(kPresets),
                                    [&](const Preset& p) { return p.name == name; });
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seed);
  const bool whole = error == std::errc{} && end == digits.data() + digits.size();
  if (preset == std::end(kPresets) || !whole) refuse(preset_and_seed);
  return std::make_unique<SyntheticCheckpoint>(*preset, seed);
}

}  // namespace rotor
