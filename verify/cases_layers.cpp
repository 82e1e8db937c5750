#include <algorithm>
#include <cmath>
#include <memory>

#include "core/random.h"
#include "kernels/layers_layout.h"
#include "verify/cases.h"
#include "verify/layers_data.h"

// Layers: each part is judged on what the kernel itself gave that part, so that one bound a part is
// enough and nothing is amplified on the way.

namespace rotor {
namespace {

constexpr std::size_t kUnit = 16;
constexpr float kEpsilon = kLayersEpsilon;
// Indices of the contract's buffers.
constexpr std::size_t kCache = 3, kWork = 5, kNormed = 6;

struct Sizes {
  std::uint32_t layers, hidden, ffn, heads, kv_heads, head_dim;
};
// No layer at all; one and several; groups of 1, 2, 4, 8; 2B4T's own layer; on a GPU of 132 work-groups 5 and
// 3 splits of the positions, and more heads than work-groups; heads of dimensions between; wide streams.
constexpr Sizes kSizes[] = {
    {1, 64, 64, 1, 1, 64},       {2, 128, 192, 4, 1, 32}, {3, 256, 320, 4, 2, 64},
    {2, 128, 128, 8, 1, 16},     {0, 192, 64, 4, 4, 16},  {2, 320, 704, 5, 5, 128},
    {1, 2560, 6912, 20, 5, 128}, {2, 128, 64, 24, 3, 16}, {1, 192, 128, 40, 8, 80},
    {2, 64, 64, 136, 8, 16},     {1, 7168, 64, 4, 2, 48}};
// Around the splits and blocks of positions that kernels work in.
constexpr std::uint32_t kPositions[] = {0, 1, 31, 32, 63, 64, 127, 128, 200, 300, 700};

struct StreamName {
  Stream stream;
  const char* name;
};
constexpr StreamName kStreams[] = {{Stream::Normal, "llm_like"}, {Stream::Outlier, "outlier"},
                                   {Stream::Zeros, "zeros"},     {Stream::Huge, "huge_scale"},
                                   {Stream::Vast, "vast_scale"}, {Stream::Tiny, "tiny_scale"}};

using Weights = LayerData::Weights;

// --- What each part should give -------------------------------------------------------------------

reference::NormInput input_of(std::span<const float> x) {
  return {.x = std::vector<double>(x.begin(), x.end()), .roundings = 0};
}

// Norm, quantiser and product of x. A code next to a tie may be either of two, which moves every output
// whose weight there is not zero by a step.
reference::Floats product(std::span<const float> x, std::span<const float> gain, const Weights& w) {
  const reference::Quantised q = reference::quantise(input_of(x), gain, kEpsilon, 1, w.k);
  std::vector<std::int8_t> codes(w.k);
  std::vector<std::uint32_t> open;
  for (std::uint32_t j = 0; j < w.k; ++j) {
    const double at = q.position[j];
    codes[j] = static_cast<std::int8_t>(std::nearbyint(at));
    if (std::fabs(std::fabs(at - std::floor(at)) - 0.5) <= q.border[j]) open.push_back(j);
  }
  const std::vector<float> sums = reference::product_eigen(codes, w.trits, 1, w.n, w.k);
  const double scale_error = q.scale_bound[0] / q.scale[0] + reference::gamma(4);
  reference::Floats result{std::vector<double>(w.n), std::vector<double>(w.n), w.k};
  for (std::uint32_t r = 0; r < w.n; ++r) {
    const double step = static_cast<double>(w.scales[r]) * q.scale[0];
    double steps = 0;
    for (const std::uint32_t j : open) steps += w.trits[std::size_t{r} * w.k + j] != 0 ? 1 : 0;
    result.value[r] = sums[r] * step;
    result.bound[r] = std::fabs(result.value[r]) * scale_error + steps * step * (1 + scale_error);
  }
  return result;
}

reference::Floats added_to(std::span<const float> base, reference::Floats sum) {
  for (std::size_t i = 0; i < base.size(); ++i) {
    sum.value[i] += base[i];
    sum.bound[i] += reference::gamma(1) * (std::fabs(sum.value[i]) + sum.bound[i]);
  }
  return sum;
}

// max(gate, 0)^2 * up of a product of gate on top of up.
reference::Floats gated(const reference::Floats& both) {
  const std::size_t n = both.value.size() / 2;
  reference::Floats result{std::vector<double>(n), std::vector<double>(n), both.terms};
  for (std::size_t i = 0; i < n; ++i) {
    const double gate = std::max(both.value[i], 0.0);
    const double up = both.value[n + i];
    const double most = gate + both.bound[i];
    const double up_most = std::fabs(up) + both.bound[n + i];
    result.value[i] = gate * gate * up;
    const double off = most * most * up_most - gate * gate * std::fabs(up);
    result.bound[i] = off + reference::gamma(3) * most * most * up_most;
  }
  return result;
}

// The contract's rotation, which rounds each product and the sum.
std::vector<float> rotated(std::span<const float> head, std::span<const float> angles) {
  const std::size_t half = head.size() / 2;
  std::vector<float> result(head.size());
  for (std::size_t i = 0; i < half; ++i) {
    const float cosine = angles[i];
    const float sine = angles[half + i];
    result[i] = head[i] * cosine - head[half + i] * sine;
    result[half + i] = head[half + i] * cosine + head[i] * sine;
  }
  return result;
}

// What one run left, layer by layer.
class Judge {
 public:
  Judge(const LayersCase& c, After after) : c_(c), p_(c.params), after_(after) {}

  Comparison run() {
    std::vector<Comparison> layers(p_.layers);
    for_each_of(p_.layers, [&](std::uint32_t layer) {
      Judge judge(c_, after_);
      judge.judge_layer(layer);
      layers[layer] = std::move(judge.result_);
    });
    for (const Comparison& layer : layers) result_.merge(layer);
    const reference::Floats last =
        reference::rms_norm(input_of(input(p_.layers)), c_.final_norm, kEpsilon, 1, p_.hidden);
    expect(last, view_as<float>(after_[kNormed]));
    judge_meeting();
    return std::move(result_);
  }

 private:
  std::span<const float> traced(std::uint32_t layer, std::uint32_t units,
                                std::uint32_t count) const {
    const std::size_t at = work_parts(p_).traces + layer * trace_parts(p_).end + units;
    return view_as<float>(after_[kWork].subspan(kUnit * at, count * sizeof(float)));
  }

  void expect(const reference::Floats& want, std::span<const float> got) {
    result_.merge(compare_bounded(want.value, want.bound, 1, got, got.size(), got.size()));
  }

  // The residual stream in front of a layer.
  std::span<const float> input(std::uint32_t layer) const {
    return layer == 0 ? c_.x : traced(layer - 1, trace_parts(p_).result, p_.hidden);
  }

  void judge_layer(std::uint32_t layer) {
    const LayerData d = make_layer(p_, c_.weights_seed, layer);
    const auto x = input(layer);
    const TraceParts at = trace_parts(p_);
    const auto qkv = traced(layer, at.qkv, qkv_rows(p_));
    const auto attended = traced(layer, at.attended, q_rows(p_));
    const auto middle = traced(layer, at.middle, p_.hidden);
    const auto inner = traced(layer, at.inner, p_.ffn);
    const auto out = traced(layer, at.result, p_.hidden);
    expect(product(x, d.input_norm, d.qkv), qkv);
    judge_attention(layer, qkv, attended);
    expect(added_to(x, product(attended, d.attention_norm, d.attention_out)), middle);
    expect(gated(product(middle, d.post_norm, d.gate_up)), inner);
    expect(added_to(middle, product(inner, d.ffn_norm, d.down)), out);
  }

  void judge_attention(std::uint32_t layer, std::span<const float> qkv,
                       std::span<const float> attended) {
    const std::uint32_t dim = p_.head_dim;
    const auto angles = std::span(c_.angles).subspan(std::size_t{c_.position} * dim, dim);
    std::vector<float> q;
    std::vector<float> own[2];  // key and value of all kv heads
    for (std::uint32_t h = 0; h < p_.heads + 2 * p_.kv_heads; ++h) {
      const auto head = qkv.subspan(std::size_t{h} * dim, dim);
      const bool is_value = h >= p_.heads + p_.kv_heads;
      const std::vector<float> turned =
          is_value ? std::vector<float>(head.begin(), head.end()) : rotated(head, angles);
      std::vector<float>& to = h < p_.heads ? q : own[is_value ? 1 : 0];
      to.insert(to.end(), turned.begin(), turned.end());
    }
    const std::vector<float> keys = judge_cache(2 * layer, own[0]);
    const std::vector<float> values = judge_cache(2 * layer + 1, own[1]);
    const AttentionParams params{1, p_.heads, p_.kv_heads, dim, p_.capacity};
    expect(reference::attention(q, keys, values, params, c_.position), attended);
  }

  // Rows of one half of the cache: those of the position hold `own`, all others what they held. Returns
  // what attention reads, [position + 1, kv_heads, head_dim].
  std::vector<float> judge_cache(std::uint32_t half, const std::vector<float>& own) {
    const std::size_t bytes = row_bytes(c_.packing, p_.head_dim);
    const std::size_t begin = kUnit * half * cache_half_units(p_, row_words_of(c_));
    const std::size_t end = begin + kUnit * cache_half_units(p_, row_words_of(c_));
    const std::size_t mine = begin + c_.position * p_.kv_heads * bytes;
    const std::size_t behind = mine + p_.kv_heads * bytes;
    const auto untouched = [&](std::size_t from, std::size_t to) {
      result_.merge(compare_exact(std::span(c_.cache).subspan(from, to - from),
                                  after_[kCache].subspan(from, to - from), bytes));
    };
    untouched(begin, mine);
    untouched(behind, end);
    std::vector<float> rows;
    rows.reserve((behind - begin) / bytes * p_.head_dim);
    for (std::size_t at = begin; at < behind; at += bytes) {
      const auto row =
          reference::decode_row(c_.packing, p_.head_dim, after_[kCache].subspan(at, bytes));
      rows.insert(rows.end(), row.begin(), row.end());
    }
    for (std::uint32_t h = 0; h < p_.kv_heads; ++h) {
      const auto want = std::span(own).subspan(std::size_t{h} * p_.head_dim, p_.head_dim);
      const auto got = std::span(rows).subspan(
          (std::size_t{c_.position} * p_.kv_heads + h) * p_.head_dim, p_.head_dim);
      expect_stored(want, got);
    }
    return rows;
  }

  void expect_stored(std::span<const float> want, std::span<const float> got) {
    double largest = 0;
    for (const float v : want) largest = std::max(largest, std::fabs(static_cast<double>(v)));
    reference::Floats row{std::vector<double>(want.begin(), want.end()), {}, 0};
    for (const double v : row.value) {
      row.bound.push_back(storage_bound(c_.packing, std::fabs(v), largest));
    }
    expect(row, got);
  }

  // Nobody waits any more, and the mail is empty.
  void judge_meeting() {
    const auto words = view_as<std::uint32_t>(after_[kWork].first(kUnit * work_parts(p_).traces));
    for (std::uint32_t i = 0; i < words.size(); ++i) result_.add(0, i, 0, words[i], words[i] == 0);
  }

  const LayersCase& c_;
  const LayersParams& p_;
  After after_;
  Comparison result_;
};

std::string shape_text(const LayersCase& c) {
  const LayersParams& p = c.params;
  return "layers=" + std::to_string(p.layers) + " hidden=" + std::to_string(p.hidden) +
         " ffn=" + std::to_string(p.ffn) + " heads=" + std::to_string(p.heads) + "/" +
         std::to_string(p.kv_heads) + " dim=" + std::to_string(p.head_dim) +
         " position=" + std::to_string(c.position);
}

LayersParams params_of(const Sizes& s, std::uint32_t position) {
  return {s.layers, s.hidden, s.ffn, s.heads, s.kv_heads, s.head_dim, position + 1 + kSpareRows,
          kEpsilon};
}

Launch layers_launch(std::shared_ptr<const LayersCase> c, Bytes weights, std::uint64_t seed,
                     const char* name) {
  Launch launch;
  launch.distribution = name;
  launch.shape = shape_text(*c);
  launch.seed = seed;
  launch.digest = digest(std::as_bytes(std::span(c->x)), digest(c->cache));
  const auto params = as_bytes(c->params);
  launch.params.assign(params.begin(), params.end());
  Bytes work(kUnit * work_parts(c->params).end, std::byte{0xFF});
  std::fill_n(work.begin(), kUnit * work_parts(c->params).traces, std::byte{0});
  launch.buffers = {std::move(weights),
                    to_bytes(std::vector<std::uint32_t>{c->position, 1}),
                    to_bytes(c->angles),
                    c->cache,
                    to_bytes(c->x),
                    work,
                    {}};
  launch.judge = [c](After after) { return Judge(*c, after).run(); };
  return launch;
}

}  // namespace

std::vector<Launch> layers_battery(const KernelVariant& variant, std::uint64_t seed) {
  std::vector<Launch> launches;
  std::size_t next = 0;
  for (const Sizes& sizes : kSizes) {
    for (const std::uint32_t position : kPositions) {
      const bool large = sizes.hidden > 1000;  // a few of these are enough, and they take long
      if (large && position % 700 != 0 && position != 63 && position != 200) continue;
      const StreamName& stream = kStreams[next++ % std::size(kStreams)];
      const LayersParams params = params_of(sizes, position);
      const std::uint64_t weights_seed =
          mix(seed) ^ mix(position) ^ params.hidden ^ (params.heads << 16);
      const auto c = std::make_shared<LayersCase>(
          make_layers_case(variant.packing, seed, weights_seed, params, position, stream.stream));
      launches.push_back(layers_launch(c, pack_layers(params, weights_seed), seed, stream.name));
    }
  }
  return launches;
}

LayersParams layers_params(const Case& spec) {
  const LayersShape& s = spec.layers.value();
  return params_of({s.layers, spec.k, s.ffn, s.heads, s.kv_heads, s.head_dim}, s.position);
}

// The weights do not depend on position and cache: all cases of a shape have the same.
Bytes timed_layers_weights(const Case& spec) {
  return pack_layers(layers_params(spec), mix(spec.seed));
}

Launch timed_layers(const KernelVariant& variant, const Case& spec) {
  const auto c = std::make_shared<LayersCase>(
      make_layers_case(variant.packing, spec.seed, mix(spec.seed), layers_params(spec),
                       spec.layers->position, Stream::Normal));
  return layers_launch(c, {}, spec.seed, kStreams[0].name);
}

}  // namespace rotor
