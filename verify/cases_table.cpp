#include <algorithm>
#include <cmath>

#include "verify/cases.h"

// Embed and Head: tables of float rows.

namespace rotor {
namespace {

constexpr std::uint32_t kColumns[] = {1, 3, 4, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 259, 1003};

// Rows of a table in the variant's format, and the values that they hold.
struct TableRows {
  Bytes bytes;
  std::vector<float> values;  // [rows, k]
};

TableRows encode_table(Packing packing, std::uint32_t k, std::span<const float> wanted) {
  TableRows table;
  for (std::size_t at = 0; at < wanted.size(); at += k) {
    const Bytes row = reference::encode_row(packing, wanted.subspan(at, k));
    const std::vector<float> values = reference::decode_row(packing, k, row);
    table.bytes.insert(table.bytes.end(), row.begin(), row.end());
    table.values.insert(table.values.end(), values.begin(), values.end());
  }
  return table;
}

// Values of the size that embeddings have; one in sixteen far larger or smaller, zeros included.
std::vector<float> table_values(Random& random, std::size_t count) {
  std::vector<float> values(count);
  for (float& v : values) {
    v = static_cast<float>(random.uniform() - 0.5);
    const std::uint32_t draw = random.below(64);
    if (draw < 4) v *= draw == 0 ? 0.0f : draw == 1 ? 1e-6f : draw == 2 ? 1e4f : -1e-2f;
  }
  return values;
}

std::string shape_text(std::uint32_t m, const char* rows, std::uint32_t n, std::uint32_t k) {
  return "m=" + std::to_string(m) + " " + rows + "=" + std::to_string(n) +
         " k=" + std::to_string(k);
}

template <typename Params>
Bytes params_of(const Params& params) {
  const auto bytes = as_bytes(params);
  return {bytes.begin(), bytes.end()};
}

// Sizes of an embedding of which the kernel sees only the rows from `first` on.
struct EmbedSizes {
  std::uint32_t m;
  std::uint32_t vocab;  // rows that the kernel sees
  std::uint32_t k;
  std::uint32_t first;
  std::uint32_t behind;  // rows after them
};

// The first and the last row of the slice, those just outside of it, then any.
std::uint32_t pick_token(const EmbedSizes& s, std::uint32_t t, Random& random) {
  const std::uint32_t all = s.first + s.vocab + s.behind;
  switch (t) {
    case 0:
      return s.first + s.vocab - 1;
    case 1:
      return s.first;
    case 2:
      return std::min(s.first + s.vocab, all - 1);
    case 3:
      return s.first == 0 ? 0 : s.first - 1;
    default:
      return random.below(all);
  }
}

Launch embed_launch(Packing packing, std::uint64_t seed, const EmbedSizes& s) {
  Random random(mix(seed) ^ mix(s.k) ^ mix(s.vocab));
  const std::uint32_t k = s.k;
  const TableRows table = encode_table(packing, k, table_values(random, std::size_t{s.vocab} * k));
  std::vector<std::uint32_t> step{17, s.m};  // a position, which Embed does not care about
  std::vector<float> want;                   // of the tokens in the slice
  Launch launch;
  for (std::uint32_t t = 0; t < s.m; ++t) {
    const std::uint32_t id = pick_token(s, t, random);
    step.push_back(id);
    if (id < s.first || id - s.first >= s.vocab) continue;
    const auto row = table.values.begin() + std::ptrdiff_t{id - s.first} * k;
    want.insert(want.end(), row, row + k);
    launch.written.push_back({std::size_t{t} * k * sizeof(float), k * sizeof(float)});
  }
  launch.distribution = "uniform";
  launch.shape = shape_text(s.m, "vocab", s.vocab, k) + " first=" + std::to_string(s.first);
  launch.seed = seed;
  launch.digest = digest(std::as_bytes(std::span(want)));
  launch.tokens = s.m;
  launch.params = params_of(EmbedParams{.m = s.m, .k = k, .first = s.first, .vocab = s.vocab});
  launch.buffers = {table.bytes, to_bytes(step), {}};
  launch.judge = [want, k, rows = launch.written](After after) {
    Comparison result;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto row = after[2].subspan(rows[i].offset, rows[i].bytes);
      result.merge(compare_exact(std::span(want).subspan(i * k, k), view_as<float>(row), k, k));
    }
    return result;
  };
  return launch;
}

// Data of a head: a distribution's activations, and a table of reals or, where sums must be exact, of
// its trits.
struct HeadCase {
  HeadParams params;
  std::vector<float> x;
  std::vector<float> table;
};

HeadCase make_head(const Distribution& distribution, std::uint64_t seed, std::uint32_t m,
                   std::uint32_t n, std::uint32_t k, std::uint32_t gap) {
  MatmulData data;
  make_weights(distribution, seed, n, k, data);
  make_activations(distribution, seed, m, Values::Reals, 0, data);
  HeadCase c{{m, n, k, n + gap}, data.x, std::vector<float>(data.trits.begin(), data.trits.end())};
  if (distribution.name != "exact_fill") {
    Random random(mix(seed) ^ fnv1a("table"));
    for (float& w : c.table) w *= static_cast<float>(0.01 + 0.5 * random.uniform());
  }
  return c;
}

HeadCase single(const HeadCase& batch, std::uint32_t t) {
  HeadCase one = batch;
  one.params.m = 1;
  const auto row = batch.x.begin() + std::ptrdiff_t{t} * batch.params.k;
  one.x.assign(row, row + batch.params.k);
  return one;
}

Launch head_launch(Packing packing, const Distribution& distribution, std::uint64_t seed,
                   const HeadCase& c) {
  const HeadParams& p = c.params;
  const TableRows table = encode_table(packing, p.k, c.table);
  reference::Floats want = reference::matmul(c.x, table.values, {}, p.m, p.n, p.k);
  double quality = 1;
  if (distribution.random_signs) quality = std::min(1.0, 2 / std::sqrt(static_cast<double>(p.k)));
  if (distribution.name == "exact_fill" && packing != Packing::Int8Row) {
    std::fill(want.bound.begin(), want.bound.end(), 0.0);
  }
  Launch launch;
  launch.distribution = distribution.name;
  launch.shape = shape_text(p.m, "n", p.n, p.k);
  launch.seed = seed;
  launch.digest = digest(std::as_bytes(std::span(c.x)), digest(std::as_bytes(std::span(c.table))));
  // Rows with a gap behind them are no equal shares of the buffer.
  launch.tokens = p.out_stride == p.n ? p.m : 1;
  launch.params = params_of(p);
  launch.buffers = {to_bytes(c.x), table.bytes, {}};
  for (std::uint32_t t = 0; t < p.m; ++t) {
    launch.written.push_back({std::size_t{t} * p.out_stride * sizeof(float), p.n * sizeof(float)});
  }
  launch.judge = [want = std::move(want), quality, p](After after) {
    return compare_bounded(want.value, want.bound, quality, view_as<float>(after[2]), p.n,
                           p.out_stride);
  };
  return launch;
}

}  // namespace

std::vector<Launch> embed_battery(const KernelVariant& variant, std::uint64_t seed) {
  std::vector<Launch> launches;
  constexpr std::uint32_t kBatches[] = {1, 2, 3, 7, 17, 33};
  constexpr std::uint32_t kVocab[] = {1, 7, 65, 203};
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    const std::uint32_t m = kBatches[i % std::size(kBatches)];
    const std::uint32_t vocab = kVocab[i % std::size(kVocab)];
    launches.push_back(embed_launch(variant.packing, seed, {m, vocab, kColumns[i], 0, 0}));
    launches.push_back(embed_launch(variant.packing, seed, {m, vocab, kColumns[i], 40, 30}));
  }
  return launches;
}

std::vector<Launch> head_battery(const KernelVariant& variant, std::uint64_t seed) {
  std::vector<Launch> launches;
  const auto add = [&](const Distribution& d, std::uint32_t m, std::uint32_t n, std::uint32_t k,
                       std::uint32_t gap) {
    const HeadCase batch = make_head(d, seed, m, n, k, gap);
    launches.push_back(head_launch(variant.packing, d, seed, batch));
    if (m == 1 || gap != 0) return;
    const std::size_t index = launches.size() - 1;
    launches.push_back(head_launch(variant.packing, d, seed, single(batch, m - 1)));
    launches.back().row_of = RowOf{index, m - 1};
  };
  constexpr std::uint32_t kBatches[] = {1, 2, 3, 7, 8, 17};
  constexpr std::uint32_t kRows[] = {1, 7, 17, 65, 200};
  for (std::size_t i = 0; i < std::size(kColumns); ++i) {
    add(composite(), kBatches[i % std::size(kBatches)], kRows[i % std::size(kRows)], kColumns[i],
        i % 2 == 0 ? 5 : 0);
  }
  for (const Distribution& d : distributions(1100)) {
    add(d, 3, 200, 1100, 0);
    add(d, 2, 65, 1100, 3);
  }
  return launches;
}

}  // namespace rotor
