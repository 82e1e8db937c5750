#include "model/self_check.h"

#include <cmath>
#include <cstdio>
#include <numeric>

#include "model/transformer.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

constexpr char kModel[] = "synthetic:odd/1";
// Of the logits' directions: the limit that this model has against its goldens
// (verify/goldens/README.md); a code that is rounded the other way stays below it.
constexpr double kOneMinusCosine = 5e-4;
constexpr std::uint32_t kPrompt[] = {1, 500, 1002, 7, 7, 300, 42};
constexpr std::uint32_t kMore[] = {11, 900};

// The logits behind the prompt, and behind each of the other tokens.
std::vector<std::vector<float>> logits_on(KernelSet& kernels, const Checkpoint& model) {
  Transformer transformer(kernels, model, {});
  KvCache cache(kernels.device(), model.config(), Packing::F32,
                static_cast<std::uint32_t>(std::size(kPrompt) + std::size(kMore)));
  std::vector<std::vector<float>> all;
  const auto keep = [&](std::span<const std::uint32_t> tokens) {
    const std::span<const float> logits = transformer.forward(tokens, cache);
    all.emplace_back(logits.begin(), logits.end());
  };
  keep(kPrompt);
  for (const std::uint32_t token : kMore) keep({&token, 1});
  return all;
}

double one_minus_cosine(const std::vector<float>& a, const std::vector<float>& b) {
  const double ab = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  const double aa = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
  const double bb = std::inner_product(b.begin(), b.end(), b.begin(), 0.0);
  return 1 - ab / std::sqrt(aa * bb);
}

}  // namespace

std::string self_check(KernelSet& kernels) {
  const std::unique_ptr<Checkpoint> model = open_checkpoint(kModel);
  const auto cpu = open_cpu({.threads = 1, .feature_mask = feature::Baseline});
  KernelSet portable(*cpu);
  const auto want = logits_on(portable, *model);
  const auto got = logits_on(kernels, *model);
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double distance = one_minus_cosine(want[i], got[i]);
    if (distance <= kOneMinusCosine) continue;  // false for NaN
    char text[120];
    std::snprintf(text, sizeof text, "its logits are 1 - cosine %.2g off, more than %.0e", distance,
                  kOneMinusCosine);
    return text;
  }
  return {};
}

}  // namespace rotor
