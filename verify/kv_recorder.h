// Looks into the passes of a KvRunner.
#pragma once

#include <algorithm>

#include "verify/kv_runner.h"

namespace rotor {

// Notes what a pass shows, or feeds every layer what another pass fed it.
class KvRunner::Recorder : public Probe {
 public:
  Recorder(Device& device, const Config& config, Trace& trace, const Trace* forced,
           const KvDisturbance& disturb)
      : device_(device), config_(config), trace_(trace), forced_(forced), disturb_(disturb) {}

  // Where the next pass begins; what junk shows is nobody's business.
  void at(std::uint32_t position, std::uint32_t m, bool junk) {
    position_ = position;
    m_ = m;
    junk_ = junk;
  }

  void layer_input(std::uint32_t layer, std::span<float> x) override {
    if (junk_ || layer == config_.layers) return;
    if (forced_ != nullptr) {
      const auto row = forced_->inputs[layer].begin() + std::ptrdiff_t{position_} * config_.hidden;
      std::copy_n(row, x.size(), x.begin());
    }
    keep(x, config_.hidden, trace_.inputs[layer]);
  }

  void cache_written(std::uint32_t layer, KvCache& cache) override {
    if (!junk_ && disturb_) disturb_(device_, config_, cache, layer, m_);
  }

  void attention_output(std::uint32_t layer, std::span<const float> out) override {
    if (!junk_) keep(out, config_.q_rows(), trace_.attention[layer]);
  }

 private:
  void keep(std::span<const float> rows, std::uint32_t width, std::vector<float>& kept) const {
    std::copy(rows.begin(), rows.end(), kept.begin() + std::ptrdiff_t{position_} * width);
  }

  Device& device_;
  const Config& config_;
  Trace& trace_;
  const Trace* forced_;
  const KvDisturbance& disturb_;
  std::uint32_t position_ = 0;
  std::uint32_t m_ = 0;
  bool junk_ = false;
};

}  // namespace rotor
