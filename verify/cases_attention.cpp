#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "verify/cases.h"

// Rope and Attention: what touches the cache.

namespace rotor {
namespace {

struct Sizes {
  std::uint32_t heads;
  std::uint32_t kv_heads;
  std::uint32_t head_dim;
};
// No grouping, groups of 2, 4 and 8, one kv head, and dims from a quarter of 2B4T's to its own.
constexpr Sizes kSizes[] = {{4, 4, 32}, {8, 2, 64},   {4, 1, 32},
                            {8, 1, 64}, {20, 5, 128}, {2, 1, 96}};

struct Window {
  std::uint32_t position;
  std::uint32_t m;
};
// First token, single tokens, and batches around the blocks of 16 and 64 that kernels work in.
constexpr Window kWindows[] = {{0, 1},  {0, 2},  {1, 1},  {15, 1},  {16, 1},  {62, 3},  {63, 1},
                               {64, 1}, {65, 7}, {0, 17}, {127, 1}, {128, 2}, {40, 33}, {129, 1}};
constexpr std::uint32_t kSpare = 5;  // rows of the cache behind the last position

std::vector<float> uniform_values(Random& random, std::size_t count, double size) {
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>((2 * random.uniform() - 1) * size);
  return values;
}

// Rows of a cache in the variant's format; NaN bytes from `positions` on.
struct CacheRows {
  Bytes bytes;
  std::vector<float> values;  // [positions, kv_heads, head_dim]
};

CacheRows make_cache(Packing packing, const AttentionParams& p, std::uint32_t positions,
                     std::span<const float> wanted) {
  CacheRows cache;
  const std::size_t row = row_bytes(packing, p.head_dim);
  for (std::size_t at = 0; at < wanted.size(); at += p.head_dim) {
    const Bytes bytes = reference::encode_row(packing, wanted.subspan(at, p.head_dim));
    const std::vector<float> values = reference::decode_row(packing, p.head_dim, bytes);
    cache.bytes.insert(cache.bytes.end(), bytes.begin(), bytes.end());
    cache.values.insert(cache.values.end(), values.begin(), values.end());
  }
  cache.bytes.resize(std::size_t{positions} * p.kv_heads * row);
  cache.bytes.resize(std::size_t{p.capacity} * p.kv_heads * row, std::byte{0xFF});
  return cache;
}

std::string shape_text(const AttentionParams& p, std::uint32_t position) {
  return "heads=" + std::to_string(p.heads) + "/" + std::to_string(p.kv_heads) +
         " dim=" + std::to_string(p.head_dim) + " position=" + std::to_string(position) +
         " m=" + std::to_string(p.m);
}

Launch start_launch(const AttentionParams& p, std::uint32_t position, std::uint64_t seed,
                    const char* distribution) {
  Launch launch;
  launch.distribution = distribution;
  launch.shape = shape_text(p, position);
  launch.seed = seed;
  const auto bytes = as_bytes(p);
  launch.params.assign(bytes.begin(), bytes.end());
  return launch;
}

// --- Rope ---------------------------------------------------------------------------------------

struct RopeCase {
  AttentionParams params;
  std::uint32_t position;
  Packing packing;
  std::vector<float> qkv;
  std::vector<float> angles;
  Bytes keys;
  Bytes values;
};

void compare_cache_row(const RopeCase& c, std::uint32_t row, std::span<const std::byte> bytes,
                       const reference::Floats& want, Comparison& result) {
  const std::vector<float> got = reference::decode_row(c.packing, c.params.head_dim, bytes);
  double largest = 0;
  for (const double v : want.value) largest = std::max(largest, std::fabs(v));
  std::vector<double> bound = want.bound;
  for (std::size_t i = 0; i < bound.size(); ++i) {
    bound[i] += storage_bound(c.packing, std::fabs(want.value[i]) + want.bound[i], largest);
  }
  Comparison found = compare_bounded(want.value, bound, 1, got, got.size(), got.size());
  for (Mismatch& m : found.first) m.row = row;
  result.merge(found);
}

std::span<const float> head_of(const std::vector<float>& qkv, const AttentionParams& p,
                               std::size_t token, std::size_t head) {
  const std::size_t width = std::size_t{p.heads + 2 * p.kv_heads} * p.head_dim;
  return std::span(qkv).subspan(token * width + head * p.head_dim, p.head_dim);
}

std::span<const float> angles_of(const RopeCase& c, std::size_t token) {
  return std::span(c.angles).subspan((c.position + token) * c.params.head_dim, c.params.head_dim);
}

// q is rotated in place; k and v stay.
void compare_qkv(const RopeCase& c, std::span<const float> after, Comparison& result) {
  const AttentionParams& p = c.params;
  const std::uint32_t heads = p.heads + 2 * p.kv_heads;
  for (std::uint32_t t = 0; t < p.m; ++t) {
    for (std::uint32_t h = 0; h < heads; ++h) {
      const auto before = head_of(c.qkv, p, t, h);
      const auto got = after.subspan((std::size_t{t} * heads + h) * p.head_dim, p.head_dim);
      Comparison found;
      if (h < p.heads) {
        const reference::Floats want = reference::rotate(before, angles_of(c, t));
        found = compare_bounded(want.value, want.bound, 1, got, p.head_dim, p.head_dim);
      } else {
        found = compare_exact(before, got, p.head_dim, p.head_dim);
      }
      for (Mismatch& m : found.first) m = {t, h * p.head_dim + m.col, m.want, m.got};
      result.merge(found);
    }
  }
}

reference::Floats unchanged(std::span<const float> values) {
  return {std::vector<double>(values.begin(), values.end()), std::vector<double>(values.size()), 0};
}

Comparison compare_rope(const RopeCase& c, After after) {
  const AttentionParams& p = c.params;
  Comparison result;
  compare_qkv(c, view_as<float>(after[0]), result);
  const std::size_t bytes = row_bytes(c.packing, p.head_dim);
  for (std::uint32_t row = 0; row < p.capacity * p.kv_heads; ++row) {
    const auto key = after[3].subspan(row * bytes, bytes);
    const auto value = after[4].subspan(row * bytes, bytes);
    const std::uint32_t position = row / p.kv_heads;
    if (position < c.position || position >= c.position + p.m) {
      result.merge(compare_exact(std::span(c.keys).subspan(row * bytes, bytes), key, bytes));
      result.merge(compare_exact(std::span(c.values).subspan(row * bytes, bytes), value, bytes));
      continue;
    }
    const std::uint32_t token = position - c.position;
    const std::uint32_t head = p.heads + row % p.kv_heads;
    compare_cache_row(c, row, key,
                      reference::rotate(head_of(c.qkv, p, token, head), angles_of(c, token)),
                      result);
    compare_cache_row(c, row, value, unchanged(head_of(c.qkv, p, token, head + p.kv_heads)),
                      result);
  }
  return result;
}

Launch rope_launch(Packing packing, std::uint64_t seed, const Sizes& s, const Window& w) {
  auto c = std::make_shared<RopeCase>();
  c->params = {w.m, s.heads, s.kv_heads, s.head_dim, w.position + w.m + kSpare};
  c->position = w.position;
  c->packing = packing;
  Random random(mix(seed) ^ mix(w.position) ^ s.heads);
  c->qkv = uniform_values(random, std::size_t{w.m} * (s.heads + 2 * s.kv_heads) * s.head_dim, 4);
  c->angles = make_angles(c->params.capacity, s.head_dim);
  const auto past = uniform_values(random, std::size_t{w.position} * s.kv_heads * s.head_dim, 4);
  c->keys = make_cache(packing, c->params, w.position, past).bytes;
  c->values = c->keys;
  Launch launch = start_launch(c->params, w.position, seed, "uniform");
  launch.digest = digest(std::as_bytes(std::span(c->qkv)));
  launch.buffers = {to_bytes(c->qkv), to_bytes(std::vector<std::uint32_t>{w.position, w.m}),
                    to_bytes(c->angles), c->keys, c->values};
  launch.judge = [c](After after) { return compare_rope(*c, after); };
  return launch;
}

// --- Attention ----------------------------------------------------------------------------------

// How sharp attention is: scores are about `scale` wide.
struct Sharpness {
  const char* name;
  double scale;
};
// Nearly uniform attention hides a lost row, a sharp one shows which row was taken, and extreme
// scores overflow an exponential that does not subtract the maximum.
constexpr Sharpness kSharpness[] = {{"uniform", 2}, {"sharp", 30}, {"flat", 0}, {"all_max", 1000}};

// Everything that attention reads.
struct AttentionCase {
  AttentionParams params;
  std::uint32_t position;
  const char* distribution;
  std::vector<float> q;  // [m, heads * head_dim]
  CacheRows keys;
  CacheRows values;
};

AttentionCase make_attention(Packing packing, std::uint64_t seed, const Sizes& s, const Window& w,
                             const Sharpness& sharpness) {
  AttentionCase c{{w.m, s.heads, s.kv_heads, s.head_dim, w.position + w.m + kSpare},
                  w.position,
                  sharpness.name,
                  {},
                  {},
                  {}};
  Random random(mix(seed) ^ mix(w.position) ^ fnv1a(sharpness.name) ^ s.heads);
  const std::uint32_t positions = w.position + w.m;
  const std::size_t row = std::size_t{s.kv_heads} * s.head_dim;
  // A dot product of d uniform numbers in [-a, a] has deviation a^2 sqrt(d) / 3.
  const double size = std::sqrt(3 * sharpness.scale);
  const auto rows = [&](double a) { return uniform_values(random, positions * row, a); };
  c.keys = make_cache(packing, c.params, positions, rows(size));
  c.values = make_cache(packing, c.params, positions, rows(4));
  c.q = uniform_values(random, std::size_t{w.m} * s.heads * s.head_dim, size);
  return c;
}

// Token t of a batch alone; later positions stay in the cache and must not be seen.
AttentionCase single(const AttentionCase& batch, std::uint32_t t) {
  AttentionCase one = batch;
  const std::size_t width = batch.q.size() / batch.params.m;
  one.params.m = 1;
  one.position += t;
  const auto q = batch.q.begin() + static_cast<std::ptrdiff_t>(t * width);
  one.q.assign(q, q + static_cast<std::ptrdiff_t>(width));
  return one;
}

Launch attention_launch(const AttentionCase& c, std::uint64_t seed) {
  const AttentionParams& p = c.params;
  const std::size_t q_width = std::size_t{p.heads} * p.head_dim;
  std::vector<float> qkv;  // k and v in it are NaN: attention reads the cache
  for (std::size_t t = 0; t < p.m; ++t) {
    const auto q = c.q.begin() + static_cast<std::ptrdiff_t>(t * q_width);
    qkv.insert(qkv.end(), q, q + static_cast<std::ptrdiff_t>(q_width));
    qkv.resize(qkv.size() + 2 * std::size_t{p.kv_heads} * p.head_dim,
               std::numeric_limits<float>::quiet_NaN());
  }
  Launch launch = start_launch(p, c.position, seed, c.distribution);
  launch.digest =
      digest(std::as_bytes(std::span(c.q)), digest(c.keys.bytes, digest(c.values.bytes)));
  launch.tokens = p.m;
  launch.buffers = {to_bytes(qkv),
                    to_bytes(std::vector<std::uint32_t>{c.position, p.m}),
                    c.keys.bytes,
                    c.values.bytes,
                    {}};
  launch.judge = [want = reference::attention(c.q, c.keys.values, c.values.values, p, c.position),
                  q_width](After after) {
    return compare_bounded(want.value, want.bound, 1, view_as<float>(after[4]), q_width, q_width);
  };
  return launch;
}

}  // namespace

std::vector<float> make_angles(std::uint32_t capacity, std::uint32_t head_dim) {
  std::vector<float> angles;
  for (std::uint32_t position = 0; position < capacity; ++position) {
    const std::uint32_t half = head_dim / 2;
    std::vector<float> sines;
    for (std::uint32_t i = 0; i < half; ++i) {
      const double angle = position * std::pow(500000.0, -2.0 * i / head_dim);
      angles.push_back(static_cast<float>(std::cos(angle)));
      sines.push_back(static_cast<float>(std::sin(angle)));
    }
    angles.insert(angles.end(), sines.begin(), sines.end());
  }
  return angles;
}

double storage_bound(Packing packing, double value, double largest) {
  switch (packing) {
    case Packing::F16:
      return 0x1p-11 * std::fabs(value) + 0x1p-25;
    case Packing::Bf16:
      return 0x1p-8 * std::fabs(value);
    // Half a code, and the roundings of value * (127 / largest) and of the scale.
    case Packing::Int8Row:
      return largest / 127 * (0.5 + 127 * reference::gamma(16));
    default:
      return 0;
  }
}

std::vector<Launch> rope_battery(const KernelVariant& variant, std::uint64_t seed) {
  std::vector<Launch> launches;
  for (std::size_t i = 0; i < std::size(kWindows); ++i) {
    launches.push_back(
        rope_launch(variant.packing, seed, kSizes[i % std::size(kSizes)], kWindows[i]));
  }
  return launches;
}

std::vector<Launch> attention_battery(const KernelVariant& variant, std::uint64_t seed) {
  std::vector<Launch> launches;
  std::size_t next = 0;
  for (const Window& window : kWindows) {
    for (const Sharpness& sharpness : kSharpness) {
      const Sizes& sizes = kSizes[next++ % std::size(kSizes)];
      const AttentionCase batch = make_attention(variant.packing, seed, sizes, window, sharpness);
      const std::size_t index = launches.size();
      launches.push_back(attention_launch(batch, seed));
      if (window.m == 1) continue;
      for (const std::uint32_t t : {0u, window.m - 1}) {
        launches.push_back(attention_launch(single(batch, t), seed));
        launches.back().row_of = RowOf{index, t};
      }
    }
  }
  return launches;
}

}  // namespace rotor
