// Loading: checkpoint -> packed weights on the device, and the buffers of a forward pass.

#include <algorithm>
#include <cmath>
#include <mutex>
#include <string>

#include "core/error.h"
#include "kernels/layers_layout.h"
#include "model/parallel.h"
#include "model/transformer.h"

namespace rotor {
namespace {

std::unique_ptr<Buffer> upload(Device& device, std::span<const std::byte> data) {
  auto buffer = device.allocate(data.size());
  device.write(*buffer, data);
  return buffer;
}

std::unique_ptr<Buffer> upload(Device& device, const std::vector<float>& data) {
  return upload(device, std::as_bytes(std::span(data)));
}

// Memory that is used again and again: fresh memory comes from the system in pages of zeros, and
// making them took longer than decoding and packing.
template <typename T>
class Spares {
 public:
  // What somebody gave back, or nothing.
  std::vector<T> take() {
    const std::lock_guard lock(mutex_);
    if (spares_.empty()) return {};
    std::vector<T> memory = std::move(spares_.back());
    spares_.pop_back();
    return memory;
  }
  void give_back(std::vector<T> memory) {
    const std::lock_guard lock(mutex_);
    spares_.push_back(std::move(memory));
  }

 private:
  std::mutex mutex_;
  std::vector<std::vector<T>> spares_;
};

// cos and sin of position * theta^(-2i / head_dim), made in double and rounded once: forming the
// angle in float costs up to 2e-4 rad at position 4095. [positions, head_dim]: cosines, then sines.
std::vector<float> rope_angles(const Config& config) {
  const std::size_t half = config.head_dim / 2;
  std::vector<float> angles(std::size_t{config.max_positions} * config.head_dim);
  for (std::size_t i = 0; i < half; ++i) {
    const double frequency = std::pow(static_cast<double>(config.rope_theta),
                                      -2.0 * static_cast<double>(i) / config.head_dim);
    for (std::size_t pos = 0; pos < config.max_positions; ++pos) {
      const double angle = static_cast<double>(pos) * frequency;
      angles[pos * config.head_dim + i] = static_cast<float>(std::cos(angle));
      angles[pos * config.head_dim + half + i] = static_cast<float>(std::sin(angle));
    }
  }
  return angles;
}

// A processor is busy with a hundred tokens; a GPU of its own memory needs more of them to have work for
// all its parts (512 at a time is a third faster than 128 on an H200).
std::uint32_t usual_chunk(const DeviceInfo& device) {
  return device.kind == "discrete" ? 512 : 128;
}

}  // namespace

Transformer::Transformer(KernelSet& kernels, const Checkpoint& checkpoint,
                         const TransformerOptions& options)
    : kernels_(kernels),
      device_(kernels.device()),
      config_(checkpoint.config()),
      chunk_(std::clamp(options.chunk == 0 ? usual_chunk(device_.info()) : options.chunk, 1u,
                        config_.max_positions)) {
  // Rows of logits are of rows of the last norm, which GPUs bind where they lie.
  constexpr std::size_t kFloats = kViewAlignment / sizeof(float);
  if (device_.info().backend != Backend::Cpu && config_.hidden % kFloats != 0) {
    throw UnsupportedError("hidden_size", "a hidden size of " + std::to_string(config_.hidden) +
                                              ": GPUs need a multiple of " +
                                              std::to_string(kFloats) + "; use --device cpu");
  }
  load_layers(checkpoint, options.progress);
  load_tables(checkpoint, options.head);
  make_activations();
}

LayersParams Transformer::layers_params(std::uint32_t capacity) const {
  return {.layers = config_.layers,
          .hidden = config_.hidden,
          .ffn = config_.ffn,
          .heads = config_.heads,
          .kv_heads = config_.kv_heads,
          .head_dim = config_.head_dim,
          .capacity = capacity,
          .epsilon = config_.norm_epsilon};
}

// Memory for the weights of all layers: where a kernel could run them all at once, one buffer as that
// kernel reads it, which is worth more than another packing of some matrix; else one buffer for each.
void Transformer::place_layers() {
  const LayersParams p = layers_params(1);
  const LayerParts at = layer_parts(p);
  const std::size_t all_bytes = kLayoutUnit * weights_units(p);
  in_one_buffer_ =
      kernels_.may_run_layers() && can_run_layers(p) && all_bytes <= device_.info().max_view_bytes;
  if (in_one_buffer_) weights_.push_back(device_.allocate(all_bytes));
  const auto place = [&](std::size_t units, std::size_t bytes) {
    if (in_one_buffer_) return View(*weights_.front(), kLayoutUnit * units, bytes);
    weights_.push_back(device_.allocate(bytes));
    return View(*weights_.back());
  };
  const auto floats = [&](std::size_t units, std::size_t count) {
    return place(units, count * sizeof(float));
  };
  for (std::uint32_t i = 0; i < config_.layers; ++i) {
    const std::size_t base = std::size_t{i} * at.end;
    const auto matrix = [&](std::uint32_t units, std::uint32_t scales, std::uint32_t n,
                            std::uint32_t k) {
      const Packing packing = in_one_buffer_ ? Packing::Bits2 : kernels_.weight_packing(n, k);
      return Matrix{n, k, packing, place(base + units, packed_bytes(packing, n, k)),
                    floats(base + scales, n)};
    };
    layers_.push_back(
        {.qkv = matrix(at.qkv, at.qkv_scales, qkv_rows(p), p.hidden),
         .output = matrix(at.attention_out, at.attention_out_scales, p.hidden, q_rows(p)),
         .gate_up = matrix(at.gate_up, at.gate_up_scales, 2 * p.ffn, p.hidden),
         .down = matrix(at.down, at.down_scales, p.hidden, p.ffn),
         .input_norm = floats(base + at.input_norm, p.hidden),
         .attention_norm = floats(base + at.attention_norm, q_rows(p)),
         .post_norm = floats(base + at.post_norm, p.hidden),
         .ffn_norm = floats(base + at.ffn_norm, p.ffn)});
  }
  final_norm_ = floats(std::size_t{config_.layers} * at.end, p.hidden);
}

// Fused matrices: q, k, v read the same codes, so do gate and up.
void Transformer::load_layers(const Checkpoint& checkpoint,
                              const std::function<void(double)>& progress) {
  using enum Projection;
  const std::vector<std::vector<Projection>> fused = {{Q, K, V}, {O}, {Gate, Up}, {Down}};
  place_layers();
  std::mutex mutex;  // a device is used by one thread at a time
  std::size_t done = 0;
  const std::size_t jobs = layers_.size() * fused.size();
  Spares<std::int8_t> trits;
  Spares<std::byte> codes;
  in_parallel(jobs, [&](std::size_t job) {
    const auto layer = static_cast<std::uint32_t>(job / fused.size());
    std::vector<TernaryMatrix> parts;
    std::vector<float> scales;
    for (const Projection p : fused[job % fused.size()]) {
      parts.push_back(checkpoint.projection_in(trits.take(), layer, p));
      const std::vector<float> more = parts.back().row_scales();
      scales.insert(scales.end(), more.begin(), more.end());
    }
    Layer& target = layers_[layer];
    Matrix* const slots[] = {&target.qkv, &target.output, &target.gate_up, &target.down};
    const Matrix& matrix = *slots[job % fused.size()];
    std::vector<std::byte> packed = codes.take();
    packed.resize(packed_bytes(matrix.packing, matrix.n, matrix.k));
    pack(parts, matrix.packing, packed);
    for (TernaryMatrix& part : parts) trits.give_back(std::move(part).release());
    const std::lock_guard lock(mutex);
    device_.write(matrix.weights, packed);
    device_.write(matrix.scales, std::as_bytes(std::span(scales)));
    codes.give_back(std::move(packed));
    if (progress) progress(static_cast<double>(++done) / static_cast<double>(jobs));
  });
  for (std::uint32_t i = 0; i < config_.layers; ++i) {
    const auto put = [&](View to, const std::vector<float>& gain) {
      device_.write(to, std::as_bytes(std::span(gain)));
    };
    put(layers_[i].input_norm, checkpoint.norm(i, Norm::Input));
    put(layers_[i].attention_norm, checkpoint.norm(i, Norm::AttentionSub));
    put(layers_[i].post_norm, checkpoint.norm(i, Norm::PostAttention));
    put(layers_[i].ffn_norm, checkpoint.norm(i, Norm::FfnSub));
  }
}

// A tied table is kept once, so another format for the head is that of the embedding, too.
void Transformer::load_tables(const Checkpoint& checkpoint, HeadFormat format) {
  const auto load_as = [&](const Table& table) {
    const Packing packing = head_packing(format, table.packing);
    if (packing == table.packing) return load_table(table);
    return load_table(convert_table(table, packing));
  };
  embedding_ =
      config_.tied_head ? load_as(checkpoint.embedding()) : load_table(checkpoint.embedding());
  if (!config_.tied_head) untied_head_ = load_as(checkpoint.head());
  if (format == HeadFormat::Exact) load_exact_head(checkpoint.head());
  const std::vector<float> final_gain = checkpoint.final_norm();
  device_.write(final_norm_, std::as_bytes(std::span(final_gain)));
  angles_ = upload(device_, rope_angles(config_));
}

void Transformer::load_exact_head(const Table& table) {
  const Table coarse = convert_table(table, Packing::Int8Row);
  const std::size_t bytes = row_bytes(table.packing, table.columns);
  exact_ = std::make_unique<ExactHead>();
  exact_->coarse = load_table(coarse);
  exact_->bound = HeadBound(table, coarse);
  exact_->rows = device_.allocate(kRescored * bytes);
  exact_->logits = device_.allocate(kRescored * sizeof(float));
  exact_->row_bytes.resize(kRescored * bytes);
  exact_->x.resize(config_.hidden);
  exact_->values.resize(kRescored);
  exact_->candidates.reserve(kRescored);
}

Transformer::DeviceTable Transformer::load_table(const Table& table) {
  DeviceTable result{.packing = table.packing, .slices = {}};
  const std::size_t row = row_bytes(table.packing, table.columns);
  // Slices begin where their part of the logits is aligned for every device.
  constexpr std::size_t kRows = kViewAlignment / sizeof(float);
  const std::size_t fit = std::min<std::size_t>(device_.info().max_view_bytes / row, table.rows);
  const auto step = static_cast<std::uint32_t>(fit == table.rows ? fit : fit / kRows * kRows);
  for (std::uint32_t first = 0; first < table.rows; first += step) {
    const std::uint32_t rows = std::min(step, table.rows - first);
    result.slices.push_back(
        {first, rows, device_.share(table.bytes.subspan(first * row, rows * row), table.owner)});
  }
  return result;
}

void Transformer::make_activations() {
  const std::uint32_t widest = std::max({config_.hidden, config_.q_rows(), config_.ffn});
  const std::uint32_t wide = std::max(config_.q_rows() + 2 * config_.kv_rows(), 2 * config_.ffn);
  const auto floats = [&](std::size_t columns) {
    return device_.allocate(std::size_t{chunk_} * columns * sizeof(float));
  };
  act_.step = device_.allocate((std::size_t{2} + chunk_) * sizeof(std::uint32_t));
  act_.x = floats(config_.hidden);
  act_.delta = floats(config_.hidden);
  act_.codes = device_.allocate(std::size_t{chunk_} * activation_stride(widest));
  act_.tokens = device_.allocate(chunk_ * sizeof(TokenScale));
  act_.wide = floats(wide);
  act_.attended = floats(config_.q_rows());
  act_.normed = floats(config_.hidden);
  act_.logits = device_.allocate(std::size_t{config_.vocab} * sizeof(float));
  logits_.resize(config_.vocab);
  if (device_.info().backend != Backend::Cpu) ranked_.emplace(kernels_, config_.vocab);
  step_.reserve(std::size_t{2} + chunk_);
}

std::size_t Transformer::weight_bytes() const {
  std::size_t sum = 0;
  for (const auto& buffer : weights_) sum += buffer->bytes();
  return sum;
}

std::size_t Transformer::table_bytes() const {
  std::size_t sum = 0;
  const auto add = [&](const DeviceTable& table) {
    for (const TableSlice& slice : table.slices) sum += slice.buffer->bytes();
  };
  add(embedding_);
  add(untied_head_);
  if (exact_) add(exact_->coarse);
  return sum;
}

std::size_t Transformer::token_bytes(const KvCache& cache) const {
  const Packing table = exact_ ? exact_->coarse.packing : head().packing;
  return weight_bytes() + config_.vocab * row_bytes(table, config_.hidden) +
         cache.length() * cache.bytes_per_position();
}

std::uint64_t Transformer::token_macs() const {
  std::uint64_t macs = 0;
  for (const Layer& layer : layers_) {
    for (const Matrix* m : {&layer.qkv, &layer.output, &layer.gate_up, &layer.down}) {
      macs += std::uint64_t{m->n} * m->k;
    }
  }
  return macs;
}

const KernelVariant& Transformer::product_variant(const KvCache& cache, std::uint32_t m) {
  const Kernel* at_once = m == 1 ? whole_step(cache) : nullptr;
  if (at_once != nullptr) return at_once->variant();
  const Matrix& largest = layers_.front().gate_up;
  const MatmulParams p{.m = m, .n = largest.n, .k = largest.k};
  return kernels_.product(largest.packing, p).variant();
}

std::size_t Transformer::activation_bytes() const {
  std::size_t sum =
      angles_->bytes() + (ranked_ ? ranked_->bytes() : 0) + (act_.work ? act_.work->bytes() : 0);
  for (const auto* buffer : {&act_.step, &act_.x, &act_.delta, &act_.codes, &act_.tokens,
                             &act_.wide, &act_.attended, &act_.normed, &act_.logits}) {
    sum += (*buffer)->bytes();
  }
  return sum;
}

}  // namespace rotor
