#include "model/score.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rotor {
namespace {

double root_mean_square(std::span<const float> x) {
  const double sum = std::accumulate(x.begin(), x.end(), 0.0,
                                     [](double s, float v) { return s + double{v} * double{v}; });
  return std::sqrt(sum / static_cast<double>(x.size()));
}

// Root mean squares of the residual stream of one token. What leaves the last layer is seen after
// the final norm only, as in the goldens.
class RmsProbe final : public Probe {
 public:
  explicit RmsProbe(std::uint32_t layers) : layers_(layers) {}
  void layer_input(std::uint32_t layer, std::span<float> x) override {
    if (layer < layers_) rms.push_back(root_mean_square(x));
  }
  void final_norm(std::span<const float> x) override { rms.push_back(root_mean_square(x)); }
  std::vector<double> rms;

 private:
  std::uint32_t layers_;
};

// Adds what the logits of one position say. `next` is the token that follows, if any.
void add_position(std::span<const float> logits, const std::uint32_t* next, Scores& scores) {
  const auto best = std::max_element(logits.begin(), logits.end());
  const auto top = static_cast<std::uint32_t>(best - logits.begin());
  float second = -INFINITY;
  double sum = 0;
  for (std::uint32_t i = 0; i < logits.size(); ++i) {
    if (i != top) second = std::max(second, logits[i]);
    sum += std::exp(double{logits[i]} - double{*best});
  }
  scores.argmax.push_back(top);
  scores.margin.push_back(double{*best} - double{second});
  if (next != nullptr) {
    scores.nll.push_back(double{*best} + std::log(sum) - double{logits[*next]});
  }
}

}  // namespace

Scores score(Transformer& transformer, KvCache& cache, std::vector<std::uint32_t> ids,
             Recompute recompute, const std::function<bool()>& go_on) {
  cache.truncate(0);
  Scores scores;
  scores.ids = std::move(ids);
  const std::span<const std::uint32_t> all = scores.ids;
  const std::size_t vocab = transformer.config().vocab;
  const std::size_t last = all.size() - 1;
  for (std::size_t done = 0; done < last;) {
    if (!go_on()) return scores;
    if (recompute == Recompute::EveryToken) {
      cache.truncate(0);
      add_position(transformer.forward(all.first(done + 1), cache), &all[done + 1], scores);
      ++done;
      continue;
    }
    const std::size_t count = std::min<std::size_t>(last - done, transformer.chunk());
    const std::span<const float> logits = transformer.forward_all(all.subspan(done, count), cache);
    for (std::size_t i = 0; i < count; ++i) {
      add_position(logits.subspan(i * vocab, vocab), &all[done + i + 1], scores);
    }
    done += count;
  }
  RmsProbe probe(transformer.config().layers);
  cache.truncate(std::min<std::uint32_t>(cache.length(), static_cast<std::uint32_t>(last)));
  const std::span<const float> logits = transformer.forward_all(all.subspan(last), cache, &probe);
  add_position(logits, nullptr, scores);
  scores.last_logits.assign(logits.begin(), logits.end());
  scores.layer_rms_last = probe.rms;
  return scores;
}

double perplexity(const Scores& scores) {
  if (scores.nll.empty()) return NAN;
  return std::exp(std::accumulate(scores.nll.begin(), scores.nll.end(), 0.0) /
                  static_cast<double>(scores.nll.size()));
}

}  // namespace rotor
