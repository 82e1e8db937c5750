#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "verify/cases.h"

namespace rotor {
namespace {

// Tails of every vector width, and sums beyond what int16 (258) and f16 (516) can hold.
constexpr std::uint32_t kColumns[] = {1,  3,   4,   15,  16,  17,  31,  33,  63,   64,
                                      65, 127, 129, 255, 257, 259, 515, 517, 1003, 1100};
constexpr std::uint32_t kOutputs[] = {1, 7, 15, 17, 63, 65, 200};
constexpr std::uint32_t kBatches[] = {1, 2, 3, 4, 7, 8, 16, 17, 33};

// Small enough for the int64 loops to check the Eigen product.
constexpr std::uint64_t kLoopProducts = 1u << 19;

std::vector<std::int8_t> codes_of(const MatmulData& data) {
  std::vector<std::int8_t> codes(data.x.size());
  std::transform(data.x.begin(), data.x.end(), codes.begin(),
                 [](float v) { return static_cast<std::int8_t>(v); });
  return codes;
}

std::vector<float> expect_exact(const MatmulData& data, unsigned threads) {
  const std::vector<std::int8_t> codes = codes_of(data);
  const std::vector<float> products =
      reference::product_eigen(codes, data.trits, data.m, data.n, data.k, threads);
  if (std::uint64_t{data.m} * data.n * data.k <= kLoopProducts) {
    const auto loops = reference::product_loops(codes, data.trits, data.m, data.n, data.k);
    if (!std::equal(loops.begin(), loops.end(), products.begin(), products.end(),
                    [](std::int64_t a, float b) { return static_cast<float>(a) == b; })) {
      throw Error("the int64 and the Eigen product disagree: one reference is wrong",
                  kExitCheckFailed);
    }
  }
  return reference::scale_products(products, data.scales, data.token_scales);
}

// Rows of elements, padded with zeros to the stride of activations.
template <typename T>
Bytes padded_rows(std::span<const T> values, std::uint32_t m, std::uint32_t k) {
  const std::size_t stride = activation_stride(k);
  std::vector<T> rows(m * stride);
  for (std::size_t t = 0; t < m; ++t) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(t * k), k,
                rows.begin() + static_cast<std::ptrdiff_t>(t * stride));
  }
  return to_bytes(rows);
}

Bytes token_scales(const MatmulData& data) {
  std::vector<TokenScale> tokens(data.m);
  for (std::size_t t = 0; t < data.m; ++t) {
    tokens[t].scale = data.token_scales[t];
    for (std::size_t j = 0; j < data.k; ++j) {
      tokens[t].sum += static_cast<int>(data.x[t * data.k + j]);
    }
  }
  return to_bytes(tokens);
}

// Token t of a batch as a batch of one.
MatmulData single(const MatmulData& data, std::uint32_t t) {
  MatmulData one = data;
  one.m = 1;
  const auto row = data.x.begin() + std::ptrdiff_t{t} * data.k;
  one.x.assign(row, row + data.k);
  one.token_scales = {data.token_scales[t]};
  one.rows = {data.rows[t]};
  return one;
}

class Builder {
 public:
  Builder(const KernelVariant& variant, std::uint64_t seed) : variant_(variant), seed_(seed) {}

  // A batch, unless the variant serves single tokens only, and some or all of its tokens alone,
  // unless it serves batches only.
  void add(const Distribution& distribution, std::uint32_t m, std::uint32_t n, std::uint32_t k,
           bool all_singles) {
    MatmulData data;
    make_weights(distribution, seed_, n, k, data);
    make_activations(distribution, seed_, m, matmul_values(variant_.op), next_kind_++, data);
    round_activations(variant_.op, data);
    const bool whole = variant_.batch == Batch::Any || (variant_.batch == Batch::Many) == (m > 1);
    if (whole) add(distribution, data);
    const std::size_t batch = launches_.size() - 1;
    if (m == 1 || variant_.batch == Batch::Many) return;
    for (std::uint32_t t = 0; t < m; ++t) {
      if (!all_singles && t != 0 && t != m / 2 && t != m - 1) continue;
      add(distribution, single(data, t));
      if (whole && variant_.op == Op::Matmul) launches_.back().row_of = RowOf{batch, t};
    }
  }

  std::vector<Launch> take() { return std::move(launches_); }

 private:
  void add(const Distribution& distribution, const MatmulData& data);

  const KernelVariant& variant_;
  std::uint64_t seed_;
  std::uint32_t next_kind_ = 0;
  std::vector<Launch> launches_;
};

void Builder::add(const Distribution& distribution, const MatmulData& data) {
  Launch launch;
  launch.distribution = distribution.name;
  launch.shape = "m=" + std::to_string(data.m) + " n=" + std::to_string(data.n) +
                 " k=" + std::to_string(data.k);
  launch.seed = seed_;
  launch.digest = matmul_digest(data);
  launch.tokens = data.m;
  const MatmulParams params{data.m, data.n, data.k, activation_stride(data.k)};
  const auto bytes = as_bytes(params);
  launch.params.assign(bytes.begin(), bytes.end());
  launch.buffers = matmul_activations(variant_.op, data);
  launch.buffers.push_back(matmul_weights(variant_, data));
  launch.buffers.push_back(to_bytes(data.scales));
  launch.buffers.emplace_back();
  launch.judge = [expected = expect_matmul(variant_.op, data, distribution.random_signs, 1),
                  n = data.n](After after) {
    return compare_matmul(expected, view_as<float>(after.back()), n);
  };
  launches_.push_back(std::move(launch));
}

}  // namespace

Values matmul_values(Op op) {
  return op == Op::Matmul ? Values::Integers : Values::Reals;
}

void round_activations(Op op, MatmulData& data) {
  if (op == Op::Matmul) return;
  data.x = reference::decode_row(Packing::F16, static_cast<std::uint32_t>(data.x.size()),
                                 reference::encode_row(Packing::F16, data.x));
}

MatmulExpected expect_matmul(Op op, const MatmulData& data, bool random_signs, unsigned threads) {
  MatmulExpected expected;
  if (op == Op::Matmul) {
    expected.exact = expect_exact(data, threads);
    return expected;
  }
  expected.bounded =
      reference::matmul(data.x, data.trits, data.scales, data.m, data.n, data.k, threads);
  // 2 sqrt(k) u S over k u S. It found single lost products that the hard bound misses, and holds
  // only where signs are random.
  if (random_signs) expected.quality = std::min(1.0, 2 / std::sqrt(static_cast<double>(data.k)));
  const bool exact = std::all_of(data.rows.begin(), data.rows.end(),
                                 [](const RowSpec& row) { return row.kind == RowKind::ExactFill; });
  if (exact) std::fill(expected.bounded.bound.begin(), expected.bounded.bound.end(), 0.0);
  return expected;
}

Comparison compare_matmul(const MatmulExpected& expected, std::span<const float> out,
                          std::uint32_t n) {
  if (!expected.exact.empty()) return compare_exact(expected.exact, out, n, n);
  return compare_bounded(expected.bounded.value, expected.bounded.bound, expected.quality, out, n,
                         n);
}

std::vector<Bytes> matmul_activations(Op op, const MatmulData& data) {
  switch (op) {
    case Op::Matmul:
      return {padded_rows<std::int8_t>(codes_of(data), data.m, data.k), token_scales(data)};
    case Op::MatmulHalf: {
      const Bytes halves = reference::encode_row(Packing::F16, data.x);
      return {padded_rows<std::uint16_t>(view_as<std::uint16_t>(halves), data.m, data.k)};
    }
    default:
      return {to_bytes(data.x)};
  }
}

Bytes matmul_weights(const KernelVariant& variant, const MatmulData& data) {
  if (!is_ternary(variant.packing)) {
    return to_bytes(std::vector<float>(data.trits.begin(), data.trits.end()));
  }
  const TernaryMatrix matrix(data.n, data.k, data.trits, 1.0f);
  Bytes packed = pack(matrix, variant.packing);
  if (reference::decode_ternary(variant.packing, data.n, data.k, packed) != data.trits) {
    throw Error("packing " + std::string(packing_name(variant.packing)) +
                    " does not hold the weights that were packed",
                kExitCheckFailed);
  }
  return packed;
}

std::uint64_t matmul_digest(const MatmulData& data) {
  std::uint64_t hash = digest(std::as_bytes(std::span(data.x)));
  hash = digest(std::as_bytes(std::span(data.trits)), hash);
  hash = digest(std::as_bytes(std::span(data.scales)), hash);
  return digest(std::as_bytes(std::span(data.token_scales)), hash);
}

std::vector<Launch> matmul_battery(const KernelVariant& variant, std::uint64_t seed) {
  Builder builder(variant, seed);
  // Every width, height and batch with the composite; the three lists have no common period.
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    builder.add(composite(), kBatches[i % std::size(kBatches)], kOutputs[i % std::size(kOutputs)],
                kColumns[i], false);
  }
  // Several tiles of tokens, and of columns an odd number of steps.
  builder.add(composite(), 150, 200, 259, false);
  // Every distribution on an odd shape (measuring-and-verifying A.2), and token by token.
  for (const Distribution& d : distributions(1100)) {
    const auto rows = static_cast<std::uint32_t>(std::max<std::size_t>(7, d.rows.size()));
    builder.add(d, rows, 200, 1100, variant.batch == Batch::Single || d.name == "composite");
  }
  for (const Distribution& d : distributions(259)) {
    const auto rows = static_cast<std::uint32_t>(std::max<std::size_t>(8, d.rows.size()));
    builder.add(d, rows, 65, 259, true);
  }
  return builder.take();
}

}  // namespace rotor
