#include "model/self_check.h"

#include <algorithm>
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

struct Answers {
  std::vector<std::vector<float>> logits;  // behind the prompt, and behind each of the other tokens
  bool finds_largest = true;               // where the device is asked for the largest of them only
};

std::ptrdiff_t largest(std::span<const float> logits) {
  return std::max_element(logits.begin(), logits.end()) - logits.begin();
}

Answers answers_of(KernelSet& kernels, const Checkpoint& model) {
  Transformer transformer(kernels, model, {});
  KvCache cache(kernels.device(), model.config(), Packing::F32,
                static_cast<std::uint32_t>(std::size(kPrompt) + std::size(kMore)));
  Answers answers;
  const auto keep = [&](std::span<const std::uint32_t> tokens) {
    const std::span<const float> logits = transformer.forward(tokens, cache);
    answers.logits.emplace_back(logits.begin(), logits.end());
  };
  keep(kPrompt);
  for (const std::uint32_t token : kMore) {
    keep({&token, 1});
    cache.truncate(cache.length() - 1);
    const std::ptrdiff_t found = largest(transformer.forward({&token, 1}, cache, 1));
    answers.finds_largest &= found == largest(answers.logits.back());
  }
  return answers;
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
  const Answers want = answers_of(portable, *model);
  const Answers got = answers_of(kernels, *model);
  for (std::size_t i = 0; i < want.logits.size(); ++i) {
    const double distance = one_minus_cosine(want.logits[i], got.logits[i]);
    if (distance <= kOneMinusCosine) continue;  // false for NaN
    char text[120];
    std::snprintf(text, sizeof text, "its logits are 1 - cosine %.2g off, more than %.0e", distance,
                  kOneMinusCosine);
    return text;
  }
  if (!got.finds_largest) return "it takes another logit for the largest";
  return {};
}

}  // namespace rotor
