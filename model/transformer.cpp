#include "model/transformer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/error.h"
#include "kernels/layers_layout.h"

namespace rotor {
namespace {

void add(Timing& sum, const Timing& timing) {
  sum.host_seconds += timing.host_seconds;
  if (timing.device_seconds) {
    sum.device_seconds = sum.device_seconds.value_or(0) + *timing.device_seconds;
  }
}

}  // namespace

std::span<const float> Transformer::forward(std::span<const std::uint32_t> tokens, KvCache& cache,
                                            std::uint32_t top) {
  check(tokens, cache);
  timing_ = {};
  const bool coarse = exact_ != nullptr && top > 0 && top <= kRescored / 4;
  const HeadPass pass = coarse ? HeadPass::Coarse : HeadPass::Full;
  const std::uint32_t ranked = exact_ == nullptr && ranked_ && ranked_->serves(top) ? top : 0;
  while (tokens.size() > chunk_) {
    run(tokens.first(chunk_), cache, {0, 0}, nullptr);
    tokens = tokens.subspan(chunk_);
  }
  const auto last = static_cast<std::uint32_t>(tokens.size()) - 1;
  if (last == 0) {
    write_step(tokens, cache.length());
    cache.append(1);
    decode({0, 1, pass, ranked}, cache);
  } else {
    run(tokens, cache, {last, 1, pass, ranked}, nullptr);
  }
  const std::span<float> logits = std::span(logits_).first(config_.vocab);
  read_logits(ranked, logits);
  const float some = best_.empty() ? logits.front() : best_.front().value;
  if (last == 0 && std::isnan(some) && gave_up()) {  // the same token again, part by part
    decode({0, 1, pass, ranked}, cache);
    read_logits(ranked, logits);
  }
  if (coarse && !rescore(last, top, logits)) {
    dispatch_logits(head(), {last, 1});
    device_.finish();
    device_.read(*act_.logits, std::as_writable_bytes(logits));
  }
  return logits;
}

// All logits of the last token, or the `ranked` largest.
void Transformer::read_logits(std::uint32_t ranked, std::span<float> logits) {
  best_ = {};
  if (ranked != 0) best_ = ranked_->read(ranked);
  if (best_.empty()) {
    places_.clear();
    device_.read(*act_.logits, std::as_writable_bytes(logits));
    return;
  }
  // -infinity everywhere else. Of a vocabulary of 128,000, just the places of the token before are reset.
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  if (places_.empty()) std::fill(logits.begin(), logits.end(), kLowest);
  for (const std::uint32_t place : places_) logits[place] = kLowest;
  places_.clear();
  for (const RankedLogit& found : best_) {
    logits[found.id] = found.value;
    places_.push_back(found.id);
  }
}

// Whether the step went without a result, because work-groups did not run at the same time: all logits are
// NaN then. Later steps go part by part.
bool Transformer::gave_up() {
  if (!steps_at_once_ || act_.work == nullptr) return false;
  std::vector<std::uint32_t> words(kMeetUnits * 4);
  device_.read(*act_.work, std::as_writable_bytes(std::span(words)));
  if (std::all_of(words.begin(), words.end(), [](std::uint32_t w) { return w == 0; })) return false;
  steps_at_once_ = false;
  for (Decode& decode : decode_) decode.sequence.reset();
  return true;
}

// The kernel for all layers of a single token at once, if this device and cache allow it, and its memory. The
// first call runs trials on the device, so it must not be made while dispatches are recorded or queued.
const Kernel* Transformer::whole_step(const KvCache& cache) {
  if (!steps_at_once_ || !in_one_buffer_ || !cache.all()) return nullptr;
  const Kernel* kernel = kernels_.layers(cache.format());
  if (kernel != nullptr && act_.work == nullptr) {
    const std::vector<std::byte> zeros(work_parts(layers_params(1)).end * kLayoutUnit);
    act_.work = device_.allocate(zeros.size());
    device_.write(*act_.work, zeros);
  }
  return kernel;
}

void Transformer::dispatch_layers(const Kernel& kernel, KvCache& cache) {
  const LayersParams params = layers_params(cache.capacity());
  const View views[] = {*weights_.front(), *act_.step, *angles_,    *cache.all(),
                        *act_.x,           *act_.work, *act_.normed};
  device_.dispatch(kernel, views, as_bytes(params));
}

void Transformer::decode(LogitRows rows, KvCache& cache) {
  Decode& decode = decode_[static_cast<std::size_t>(rows.pass)];
  const Kernel* at_once = whole_step(cache);
  if (decode.sequence == nullptr || decode.cache != cache.id() || decode.ranked != rows.ranked ||
      decode.at_once != at_once) {
    decode.sequence = device_.record([&] { dispatch_forward(1, cache, rows, nullptr, at_once); });
    decode.cache = cache.id();
    decode.ranked = rows.ranked;
    decode.at_once = at_once;
  }
  add(timing_, device_.replay(*decode.sequence));
}

// Puts exact values in place of those coarse logits that can be among the `top` largest; `row` is that
// of the last norm. False if they are too many.
bool Transformer::rescore(std::uint32_t row, std::uint32_t top, std::span<float> logits) {
  ExactHead& e = *exact_;
  const std::size_t x_bytes = std::size_t{config_.hidden} * sizeof(float);
  const View x(*act_.normed, row * x_bytes, x_bytes);
  device_.read(x, std::as_writable_bytes(std::span(e.x)));
  if (!e.bound.candidates(e.x, logits, top, kRescored, e.candidates)) return false;
  const DeviceTable& table = head();
  const std::size_t bytes = row_bytes(table.packing, config_.hidden);
  const std::uint32_t step = table.slices.front().rows;
  for (std::size_t i = 0; i < e.candidates.size(); ++i) {
    const TableSlice& slice = table.slices[e.candidates[i] / step];
    const View from(*slice.buffer, (e.candidates[i] - slice.first) * bytes, bytes);
    device_.read(from, std::span(e.row_bytes).subspan(i * bytes, bytes));
  }
  const auto count = static_cast<std::uint32_t>(e.candidates.size());
  device_.write(*e.rows, std::span(e.row_bytes).first(count * bytes));
  const HeadParams params{.m = 1, .n = count, .k = config_.hidden, .out_stride = count};
  const View project[] = {x, *e.rows, *e.logits};
  device_.dispatch(kernels_.get(Op::Head, table.packing, 1), project, as_bytes(params));
  device_.finish();
  const std::span<float> values = std::span(e.values).first(count);
  device_.read(*e.logits, std::as_writable_bytes(values));
  for (std::size_t i = 0; i < count; ++i) logits[e.candidates[i]] = values[i];
  return true;
}

std::span<const float> Transformer::forward_all(std::span<const std::uint32_t> tokens,
                                                KvCache& cache, Probe* probe) {
  check(tokens, cache);
  if (tokens.size() > chunk_) {
    throw UsageError("at most " + std::to_string(chunk_) +
                     " tokens at a time have their logits kept");
  }
  timing_ = {};
  const auto m = static_cast<std::uint32_t>(tokens.size());
  const std::size_t size = std::size_t{m} * config_.vocab;
  if (logits_.size() < size) {
    act_.logits = device_.allocate(size * sizeof(float));
    for (Decode& decode : decode_) decode.sequence.reset();  // they name the buffer that is gone
    logits_.resize(size);
  }
  best_ = {};
  places_.clear();
  run(tokens, cache, {0, m}, probe);
  const std::span<float> logits = std::span(logits_).first(size);
  device_.read(*act_.logits, std::as_writable_bytes(logits));
  return logits;
}

void Transformer::check(std::span<const std::uint32_t> tokens, const KvCache& cache) const {
  if (tokens.empty()) throw UsageError("no tokens to process: the prompt is empty");
  for (const std::uint32_t token : tokens) {
    if (token >= config_.vocab) {
      throw UsageError("token " + std::to_string(token) + " is not in the vocabulary of " +
                       std::to_string(config_.vocab));
    }
  }
  cache.check_room(tokens.size());
}

void Transformer::run(std::span<const std::uint32_t> tokens, KvCache& cache, LogitRows rows,
                      Probe* probe) {
  const auto m = static_cast<std::uint32_t>(tokens.size());
  const Kernel* at_once = m == 1 && probe == nullptr ? whole_step(cache) : nullptr;
  write_step(tokens, cache.length());
  cache.append(m);
  dispatch_forward(m, cache, rows, probe, at_once);
  add(timing_, device_.finish());
  if (at_once != nullptr && gave_up()) {
    dispatch_forward(m, cache, rows, probe, nullptr);
    add(timing_, device_.finish());
  }
}

void Transformer::write_step(std::span<const std::uint32_t> tokens, std::uint32_t position) {
  step_.assign({position, static_cast<std::uint32_t>(tokens.size())});
  step_.insert(step_.end(), tokens.begin(), tokens.end());
  device_.write(*act_.step, std::as_bytes(std::span(step_)));
}

// x = E[t]; per layer attention and feed-forward, each added to x, or all of these `at_once`; norm; head.
void Transformer::dispatch_forward(std::uint32_t m, KvCache& cache, LogitRows rows, Probe* probe,
                                   const Kernel* at_once) {
  dispatch_embed(m);
  if (at_once != nullptr) {
    dispatch_layers(*at_once, cache);
    dispatch_logits(rows);
    return;
  }
  for (std::uint32_t layer = 0; layer < config_.layers; ++layer) {
    dispatch_norm(m, layers_[layer].input_norm, layer == 0 ? Residual::AsIs : Residual::AddDelta);
    if (probe != nullptr) probe_layer_input(m, layer, layers_[layer].input_norm, *probe);
    dispatch_attention(m, layer, cache, probe);
    dispatch_norm(m, layers_[layer].post_norm, Residual::AddDelta);
    dispatch_ffn(m, layer);
  }
  dispatch_head(m, rows, probe);
}

void Transformer::dispatch_embed(std::uint32_t m) {
  const Kernel& kernel = kernels_.get(Op::Embed, embedding_.packing, m);
  for (const TableSlice& slice : embedding_.slices) {
    const EmbedParams params{
        .m = m, .k = config_.hidden, .first = slice.first, .vocab = slice.rows};
    const View views[] = {*slice.buffer, *act_.step, *act_.x};
    device_.dispatch(kernel, views, as_bytes(params));
  }
}

// codes = quantise(RMSNorm(x)), after x += delta where there is a sub-layer before.
void Transformer::dispatch_norm(std::uint32_t m, View gain, Residual residual) {
  const NormParams params{.m = m,
                          .k = config_.hidden,
                          .stride = activation_stride(config_.hidden),
                          .epsilon = config_.norm_epsilon};
  if (residual == Residual::AddDelta) {
    const View views[] = {*act_.x, *act_.delta, gain, *act_.codes, *act_.tokens};
    device_.dispatch(kernels_.get(Op::AddNormQuant, Packing::None, m), views, as_bytes(params));
  } else {
    const View views[] = {*act_.x, gain, *act_.codes, *act_.tokens};
    device_.dispatch(kernels_.get(Op::NormQuant, Packing::None, m), views, as_bytes(params));
  }
}

void Transformer::dispatch_matmul(std::uint32_t m, const Matrix& matrix, View out) {
  const MatmulParams params{
      .m = m, .n = matrix.n, .k = matrix.k, .stride = activation_stride(matrix.k)};
  const View views[] = {*act_.codes, *act_.tokens, matrix.weights, matrix.scales, out};
  device_.dispatch(kernels_.product(matrix.packing, params), views, as_bytes(params));
}

// q, k, v; rotate and append; attend; sub-norm; output projection into delta.
void Transformer::dispatch_attention(std::uint32_t m, std::uint32_t layer, KvCache& cache,
                                     Probe* probe) {
  const Layer& weights = layers_[layer];
  dispatch_matmul(m, weights.qkv, *act_.wide);
  const AttentionParams params{.m = m,
                               .heads = config_.heads,
                               .kv_heads = config_.kv_heads,
                               .head_dim = config_.head_dim,
                               .capacity = cache.capacity()};
  const View keys = cache.keys(layer);
  const View values = cache.values(layer);
  const View rope[] = {*act_.wide, *act_.step, *angles_, keys, values};
  device_.dispatch(kernels_.get(Op::Rope, cache.format(), m), rope, as_bytes(params));
  if (probe != nullptr) {
    device_.finish();
    probe->cache_written(layer, cache);
  }
  const View attend[] = {*act_.wide, *act_.step, keys, values, *act_.attended};
  device_.dispatch(kernels_.get(Op::Attention, cache.format(), m), attend, as_bytes(params));
  if (probe != nullptr) {
    std::vector<float> out(std::size_t{m} * config_.q_rows());
    device_.read(*act_.attended, std::as_writable_bytes(std::span(out)));
    probe->attention_output(layer, out);
  }
  const NormParams norm{.m = m,
                        .k = config_.q_rows(),
                        .stride = activation_stride(config_.q_rows()),
                        .epsilon = config_.norm_epsilon};
  const View sub[] = {*act_.attended, weights.attention_norm, *act_.codes, *act_.tokens};
  device_.dispatch(kernels_.get(Op::NormQuant, Packing::None, m), sub, as_bytes(norm));
  dispatch_matmul(m, weights.output, *act_.delta);
}

// gate and up; ReLU^2 and sub-norm; down projection into delta.
void Transformer::dispatch_ffn(std::uint32_t m, std::uint32_t layer) {
  const Layer& weights = layers_[layer];
  dispatch_matmul(m, weights.gate_up, *act_.wide);
  const NormParams params{.m = m,
                          .k = config_.ffn,
                          .stride = activation_stride(config_.ffn),
                          .epsilon = config_.norm_epsilon};
  const View views[] = {*act_.wide, weights.ffn_norm, *act_.codes, *act_.tokens};
  device_.dispatch(kernels_.get(Op::Relu2NormQuant, Packing::None, m), views, as_bytes(params));
  dispatch_matmul(m, weights.down, *act_.delta);
}

// x += delta; norm; logits of the rows asked for.
void Transformer::dispatch_head(std::uint32_t m, LogitRows rows, Probe* probe) {
  const NormParams norm{.m = m, .k = config_.hidden, .stride = 0, .epsilon = config_.norm_epsilon};
  const View views[] = {*act_.x, *act_.delta, final_norm_, *act_.normed};
  device_.dispatch(kernels_.get(Op::AddNorm, Packing::None, m), views, as_bytes(norm));
  if (probe != nullptr) {
    std::vector<float> x(std::size_t{m} * config_.hidden);
    device_.read(*act_.x, std::as_writable_bytes(std::span(x)));
    probe->layer_input(config_.layers, x);
    device_.read(*act_.normed, std::as_writable_bytes(std::span(x)));
    probe->final_norm(x);
  }
  dispatch_logits(rows);
}

void Transformer::dispatch_logits(LogitRows rows) {
  if (rows.count == 0) return;
  dispatch_logits(rows.pass == HeadPass::Coarse ? exact_->coarse : head(), rows);
  if (rows.ranked != 0) {
    ranked_->dispatch(View(*act_.logits, 0, std::size_t{config_.vocab} * sizeof(float)),
                      rows.ranked);
  }
}

// GPUs read the table once for each row of logits, so many rows are cut: a small one, whose dispatches
// cannot be interrupted, would be taken for hung.
void Transformer::dispatch_logits(const DeviceTable& table, LogitRows rows) {
  const std::uint32_t step =
      device_.info().backend == Backend::Cpu ? rows.count : head_rows_at_once(table);
  for (std::uint32_t done = 0; done < rows.count; done += step) {
    const std::uint32_t m = std::min(step, rows.count - done);
    const std::size_t row = std::size_t{config_.hidden} * sizeof(float);
    const View x(*act_.normed, (rows.first + done) * row, m * row);
    const Kernel& kernel = kernels_.get(Op::Head, table.packing, m);
    for (const TableSlice& slice : table.slices) {
      const HeadParams params{
          .m = m, .n = slice.rows, .k = config_.hidden, .out_stride = config_.vocab};
      const std::size_t first = std::size_t{done} * config_.vocab + slice.first;
      const std::size_t offset = first * sizeof(float);
      const View project[] = {x, *slice.buffer,
                              View(*act_.logits, offset, act_.logits->bytes() - offset)};
      device_.dispatch(kernel, project, as_bytes(params));
    }
  }
}

// So many that 2 GB are read, a tenth of a second for integrated graphics, and that what follows them
// can be bound.
std::uint32_t Transformer::head_rows_at_once(const DeviceTable& table) const {
  constexpr std::size_t kBytes = 2'000'000'000;
  constexpr std::size_t kFloats = kViewAlignment / sizeof(float);
  std::uint32_t unit = 1;
  while (std::size_t{unit} * config_.hidden % kFloats != 0 ||
         std::size_t{unit} * config_.vocab % kFloats != 0) {
    ++unit;
  }
  const std::size_t table_bytes = row_bytes(table.packing, config_.hidden) * config_.vocab;
  return static_cast<std::uint32_t>(std::max<std::size_t>(kBytes / table_bytes / unit, 1)) * unit;
}

// Shows x to the probe and normalises what the probe made of it.
void Transformer::probe_layer_input(std::uint32_t m, std::uint32_t layer, View gain, Probe& probe) {
  std::vector<float> x(std::size_t{m} * config_.hidden);
  device_.read(*act_.x, std::as_writable_bytes(std::span(x)));
  probe.layer_input(layer, x);
  device_.write(*act_.x, std::as_bytes(std::span(x)));
  dispatch_norm(m, gain, Residual::AsIs);
}

}  // namespace rotor
