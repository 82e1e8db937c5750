// A random untied model, made of a seed (measuring-and-verifying D.4).

#include <cmath>

#include "core/random.h"
#include "verify/kv_ab.h"
#include "verify/reference.h"

namespace rotor {
namespace {

// Queries and keys are this much larger than unit variance: scores have a deviation of 4, so that a
// few positions take most of the attention. Uniform attention would dilute a lost row to 1 / length,
// a larger factor would show one position only.
constexpr float kSharpness = 2;

Config random_config() {
  Config config;
  config.vocab = 512;
  config.hidden = 256;
  config.ffn = 640;
  config.layers = 3;
  config.heads = 8;
  config.kv_heads = 2;
  config.head_dim = 32;
  config.max_positions = 4096;
  config.rope_theta = 10000;
  config.norm_epsilon = 1e-5f;
  config.tied_head = false;
  return config;
}

class RandomUntiedModel : public Checkpoint {
 public:
  explicit RandomUntiedModel(std::uint64_t seed)
      : config_(random_config()),
        seed_(seed),
        embedding_(table("embedding", 1)),
        // Logits of a normalised row then have a deviation of one and a half.
        head_(table("head", 1.5 / std::sqrt(static_cast<double>(config_.hidden)))) {}

  const Config& config() const override { return config_; }
  std::string description() const override { return "random untied model"; }

  TernaryMatrix projection(std::uint32_t layer, Projection which) const override {
    const auto [n, k] = projection_shape(config_, which);
    Random random = stream("projection", layer * 16 + static_cast<std::uint32_t>(which));
    std::vector<std::int8_t> trits(std::size_t{n} * k);
    for (std::int8_t& t : trits)
      t = static_cast<std::int8_t>(static_cast<int>(random.below(3)) - 1);
    // Two thirds of the trits are not zero: this scale keeps unit variance.
    const auto unit = static_cast<float>(std::sqrt(1.5 / k));
    const bool sharp = which == Projection::Q || which == Projection::K;
    return {n, k, std::move(trits), sharp ? kSharpness * unit : unit};
  }

  std::vector<float> norm(std::uint32_t layer, Norm which) const override {
    return gains(norm_size(config_, which), layer * 16 + static_cast<std::uint32_t>(which));
  }
  std::vector<float> final_norm() const override { return gains(config_.hidden, 1u << 16); }
  Table embedding() const override { return as_table(embedding_); }
  Table head() const override { return as_table(head_); }

 private:
  Random stream(std::string_view name, std::uint32_t index) const {
    return Random(fnv1a(name) ^ mix(seed_) ^ mix(index));
  }

  std::vector<float> gains(std::uint32_t size, std::uint32_t index) const {
    Random random = stream("norm", index);
    std::vector<float> result(size);
    for (float& g : result) g = static_cast<float>(0.8 + 0.4 * random.uniform());
    return result;
  }

  // bf16 rows of uniform numbers with the given deviation.
  std::shared_ptr<const std::vector<std::byte>> table(std::string_view name,
                                                      double deviation) const {
    Random random = stream(name, 0);
    std::vector<float> values(std::size_t{config_.vocab} * config_.hidden);
    for (float& v : values) {
      v = static_cast<float>((2 * random.uniform() - 1) * std::sqrt(3.0) * deviation);
    }
    return std::make_shared<const std::vector<std::byte>>(
        reference::encode_row(Packing::Bf16, values));
  }

  Table as_table(const std::shared_ptr<const std::vector<std::byte>>& bytes) const {
    return {Packing::Bf16, config_.vocab, config_.hidden, *bytes, bytes};
  }

  Config config_;
  std::uint64_t seed_;
  std::shared_ptr<const std::vector<std::byte>> embedding_;
  std::shared_ptr<const std::vector<std::byte>> head_;
};

}  // namespace

std::unique_ptr<Checkpoint> random_untied_model(std::uint64_t seed) {
  return std::make_unique<RandomUntiedModel>(seed);
}

}  // namespace rotor
