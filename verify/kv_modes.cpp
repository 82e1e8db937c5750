// The modes of the comparison: what each looks at, and when it fails.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/error.h"
#include "core/stats.h"
#include "verify/kv_findings.h"
#include "verify/kv_recorder.h"
#include "verify/reference.h"

namespace rotor {
namespace {

// D.1: reordered f32 sums reach 1.8e-6 of the largest output, the mildest bug 6.5e-2; f16 rows
// 1.1e-3.
constexpr double kLockstepLimit = 1e-5;
constexpr double kLockstepLimitF16 = 5e-3;

bool is_poison(std::byte b) {
  return b == std::byte{0xFF};
}

// Rows of one format have equal bits; f16 rows are within a unit in the last place of f32 rows.
bool rows_agree(Packing want_format, std::span<const std::byte> want, Packing got_format,
                std::span<const std::byte> got, std::uint32_t head_dim) {
  if (want_format == got_format) return std::memcmp(want.data(), got.data(), want.size()) == 0;
  const std::vector<float> a = reference::decode_row(want_format, head_dim, want);
  const std::vector<float> b = reference::decode_row(got_format, head_dim, got);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(difference(a[i], b[i]) <= 0x1p-10 * std::fabs(a[i]) + 0x1p-24)) return false;
  }
  return true;
}

}  // namespace

KvResult KvRunner::start(const char* mode, const KvVariant& variant) const {
  KvResult result;
  result.id = std::string("kv/").append(mode).append("/").append(variant.name).append("/");
  result.id += model_;
  result.device = device_.info().id;
  result.mode = mode;
  result.variant = variant.name;
  result.status = Status::Pass;
  result.positions = variant.positions;
  return result;
}

// Every row (layer, keys or values, position, kv head), and those behind the text, which are poison.
void KvRunner::compare_rows(const KvVariant& variant, const KvCache& cache, KvResult& result) {
  const Rows& want = reference(variant.against).rows;
  const Rows got = read_rows(cache);
  const std::size_t want_bytes = row_bytes(variant.against, config_.head_dim);
  const std::size_t got_bytes = row_bytes(variant.format, config_.head_dim);
  std::uint64_t unequal = 0;
  for (std::size_t half = 0; half < got.size(); ++half) {
    for (std::size_t row = 0; row < got[half].size() / got_bytes; ++row) {
      const auto found = std::span(got[half]).subspan(row * got_bytes, got_bytes);
      const std::size_t position = row / config_.kv_heads;
      const bool right =
          position < variant.positions
              ? rows_agree(variant.against,
                           std::span(want[half]).subspan(row * want_bytes, want_bytes),
                           variant.format, found, config_.head_dim)
              : std::all_of(found.begin(), found.end(), is_poison);
      if (right) continue;
      ++unequal;
      fail(result, "rows_unequal",
           "layer " + std::to_string(half / 2) + (half % 2 == 0 ? " keys" : " values") +
               ", position " + std::to_string(position) + ", kv head " +
               std::to_string(row % config_.kv_heads));
    }
  }
  result.kv_rows_unequal = unequal;
}

bool KvRunner::schedule_is_fixed(Packing format) {
  const auto same = [&](Op op, Packing packing) {
    return kernels_.get(op, packing, 1).variant().name ==
           kernels_.get(op, packing, positions()).variant().name;
  };
  // Ternary products are exact in any order; embedding and rotation have none.
  return same(Op::NormQuant, Packing::None) && same(Op::AddNormQuant, Packing::None) &&
         same(Op::Relu2NormQuant, Packing::None) && same(Op::AddNorm, Packing::None) &&
         same(Op::Attention, format) && same(Op::Head, head_packing_);
}

// One position too many must be an error that changes nothing.
void KvRunner::try_to_overfill(KvCache& cache, KvResult& result) {
  const auto refused = [&](const auto& pass) {
    try {
      pass();
    } catch (const UsageError&) {
      return cache.length() == cache.capacity();
    }
    return false;
  };
  const auto token = std::span(junk_).first(1);
  if (!refused([&] { transformer_.forward(token, cache); }) ||
      !refused([&] { transformer_.forward_all(token, cache); })) {
    fail(result, "capacity_not_enforced", "a full cache took another position");
  }
}

KvResult KvRunner::bitwise(const KvVariant& variant) {
  KvResult result = start("bitwise", variant);
  // Where other rows serve prompts, sums are ordered otherwise: then both sides use those of decoding.
  std::optional<SingleRows> single_rows;
  if (!schedule_is_fixed(variant.format)) single_rows.emplace(kernels_);
  if (!schedule_is_fixed(variant.format)) {
    result.status = Status::Skipped;
    result.reason_code = "schedule_varies";
    result.message = "other kernels serve one token than many, so sums are ordered otherwise";
    return result;
  }
  const Reference& want = reference(variant.against);
  KvCache cache = make_cache(variant);
  Trace got = empty_trace();
  follow(variant, cache, nullptr, got);
  compare_logits(want.trace, got, result);
  result.tolerance = {{"logit_max_rel", 0}};
  const std::size_t bytes = std::size_t{variant.positions} * config_.vocab * sizeof(float);
  if (std::memcmp(want.trace.logits.data(), got.logits.data(), bytes) != 0) {
    fail(result, "logits_differ", "logits are not the same bits");
  }
  if (variant.full) try_to_overfill(cache, result);
  compare_rows(variant, cache, result);
  return result;
}

std::vector<KvResult> KvRunner::lockstep(const KvVariant& variant, const KvDisturbance& disturb) {
  const Reference& want = reference(variant.against);
  KvCache cache = make_cache(variant);
  Trace got = empty_trace();
  Recorder recorder(device_, config_, got, &want.trace, disturb);
  follow(variant, cache, &recorder, got);
  KvResult result = start("lockstep", variant);
  const double limit = variant.format == variant.against ? kLockstepLimit : kLockstepLimitF16;
  result.tolerance = {{"attn_max_rel", limit}};
  double worst = 0;
  for (std::size_t layer = 0; layer < config_.layers; ++layer) {
    const std::size_t size = std::size_t{variant.positions} * config_.q_rows();
    const auto a = std::span(want.trace.attention[layer]).first(size);
    const auto b = std::span(got.attention[layer]).first(size);
    double largest = 0;
    for (const float v : a) largest = std::max(largest, double{std::fabs(v)});
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double relative = difference(a[i], b[i]) / largest;
      worst = std::max(worst, relative);
      if (relative <= limit) continue;
      fail(result, "attention_differs",
           "layer " + std::to_string(layer) + ", position " + std::to_string(i / config_.q_rows()) +
               ", head " + std::to_string(i % config_.q_rows() / config_.head_dim) +
               (std::isfinite(relative) ? "" : ": NaN"));
    }
  }
  result.attn_max_rel = finite(worst);
  KvResult rows = start("cache_rows", variant);
  rows.tolerance = {{"ulp", variant.format == variant.against ? 0 : 1}};
  compare_rows(variant, cache, rows);
  return {result, rows};
}

KvResult KvRunner::end_to_end(const KvVariant& variant) {
  KvResult result = start("end_to_end", variant);
  const Control& noise = control(variant.against);
  const Reference& want = reference(variant.against);
  KvCache cache = make_cache(variant);
  Trace got = empty_trace();
  const KvDisturbance nobody;
  Recorder recorder(device_, config_, got, nullptr, nobody);
  follow(variant, cache, &recorder, got);
  const LogitComparison found = compare_logits(want.trace, got, result);
  result.int8_flip_rate = flip_rate(want.trace, got, variant.positions);
  judge_logits(found, noise, result);
  return result;
}

KvResult KvRunner::across(KvRunner& other, std::uint32_t prompt) {
  std::string backend(backend_name(other.device_.info().backend));
  const KvVariant variant{.name = "prefill" + std::to_string(prompt) + "_on_" + backend,
                          .positions = positions(),
                          .actions = {}};
  KvResult result = start("end_to_end", variant);
  const Trace& want = reference(Packing::F32).trace;
  KvResult ignored = result;
  const std::vector<double> apart =
      compare_logits(want, other.reference(Packing::F32).trace, ignored).differences;
  Control noise{median(apart), *std::max_element(apart.begin(), apart.end())};
  for (const Control* more : {&control(Packing::F32), &other.control(Packing::F32)}) {
    noise = {std::max(noise.median, more->median), std::max(noise.largest, more->largest)};
  }
  KvCache there = other.make_cache(variant);
  KvCache here = make_cache(variant);
  Trace got = empty_trace();
  other.feed(prompt, there, nullptr, got);
  here.copy_from(there);
  while (here.length() < positions()) feed(1, here, nullptr, got);
  judge_logits(compare_logits(want, got, result), noise, result);
  return result;
}

// Share of int8 codes that differ at the entrance of the layers.
double KvRunner::flip_rate(const Trace& a, const Trace& b, std::uint32_t positions) const {
  std::uint64_t flips = 0;
  std::uint64_t codes = 0;
  const auto positions_of = [&](const std::vector<float>& x, std::size_t layer) {
    const auto end = x.begin() + std::ptrdiff_t{positions} * config_.hidden;
    const reference::NormInput input{.x = std::vector<double>(x.begin(), end)};
    return reference::quantise(input, gains_[layer], config_.norm_epsilon, positions,
                               config_.hidden)
        .position;
  };
  for (std::size_t layer = 0; layer < config_.layers; ++layer) {
    const std::vector<double> p = positions_of(a.inputs[layer], layer);
    const std::vector<double> q = positions_of(b.inputs[layer], layer);
    for (std::size_t i = 0; i < p.size(); ++i) {
      flips += std::nearbyint(p[i]) != std::nearbyint(q[i]) ? 1u : 0u;
    }
    codes += p.size();
  }
  return static_cast<double>(flips) / static_cast<double>(codes);
}

}  // namespace rotor
