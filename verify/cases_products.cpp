#include <algorithm>
#include <memory>

#include "core/random.h"
#include "core/ternary.h"
#include "kernels/products_layout.h"
#include "verify/cases.h"
#include "verify/layers_data.h"

// Products: a chain of exact sums, so that one plain computation of all of it is what must come out. A wrong
// sum anywhere changes codes of every later product, and nearly all of what the last one gives.

namespace rotor {
namespace {

// Indices of the contract's buffers.
constexpr std::size_t kWork = 2, kOut = 3;

// The smallest; none; several layers; rows just off fours and tiles; several rows for each code; 2B4T's own
// layer; the widest streams.
constexpr ProductsParams kSizes[] = {
    {1, 64, 64, 64, 64},      {0, 192, 64, 64, 64},    {2, 128, 192, 300, 320},
    {3, 256, 256, 512, 704},  {5, 320, 128, 199, 192}, {2, 64, 64, 1001, 64},
    {4, 576, 448, 450, 1216}, {7, 64, 128, 131, 192},  {1, 2560, 2560, 3840, 6912},
    {2, 192, 64, 67, 7168},   {1, 7168, 64, 65, 64},   {2, 1088, 4160, 4162, 128}};

// Weights. Steep: rows of the largest sums of either sign for codes of alternating signs, which are what they
// make; rows beyond those that the next product takes as they are hold zeros.
enum class Trits : std::uint8_t { Random, Plus, Minus, Steep };
enum class Start : std::uint8_t { Uniform, Alternating, Highest, Lowest, Zeros };

struct Data {
  const char* name;
  Trits trits;
  Start start;
};
constexpr Data kData[] = {{"uniform", Trits::Random, Start::Uniform},
                          {"alternating", Trits::Random, Start::Alternating},
                          {"steep_weights", Trits::Steep, Start::Alternating},
                          {"plus_one_weights", Trits::Plus, Start::Uniform},
                          {"minus_one_weights", Trits::Minus, Start::Highest},
                          {"all_lowest", Trits::Random, Start::Lowest},
                          {"zeros", Trits::Random, Start::Zeros}};

// [n, k], of which the next product takes the first `next_k` rows as they are.
std::vector<std::int8_t> make_trits(Trits kind, std::uint64_t seed, std::uint32_t n,
                                    std::uint32_t k, std::uint32_t next_k) {
  std::vector<std::int8_t> trits(std::size_t{n} * k);
  switch (kind) {
    case Trits::Plus:
    case Trits::Minus:
      std::fill(trits.begin(), trits.end(), static_cast<std::int8_t>(kind == Trits::Plus ? 1 : -1));
      break;
    case Trits::Steep:
      for (std::size_t i = 0; i < std::size_t{std::min(n, next_k)} * k; ++i) {
        trits[i] = static_cast<std::int8_t>((i / k + i % k) % 2 == 0 ? 1 : -1);
      }
      break;
    case Trits::Random: {
      Random random(seed);
      for (std::size_t i = 0; i < trits.size(); i += 8) {  // k is a multiple of 64
        const std::uint64_t bits = random.bits();
        for (unsigned j = 0; j < 8; ++j) {
          const int byte = static_cast<int>(bits >> 8 * j & 0xFF);
          trits[i + j] = static_cast<std::int8_t>((byte * 3 >> 8) - 1);
        }
      }
    }
  }
  return trits;
}

std::vector<std::int8_t> make_x(Start kind, std::uint64_t seed, std::uint32_t k) {
  std::vector<std::int8_t> x(k);
  Random random(~seed);
  for (std::uint32_t j = 0; j < k; ++j) {
    const int value = kind == Start::Uniform       ? static_cast<int>(random.below(256)) - 128
                      : kind == Start::Alternating ? (j % 2 == 0 ? 127 : -127)
                      : kind == Start::Highest     ? 127
                      : kind == Start::Lowest      ? -128
                                                   : 0;
    x[j] = static_cast<std::int8_t>(value);
  }
  return x;
}

// Product `number` of all, from its seed.
struct Shape {
  std::uint32_t n, k, next_k;
};
Shape shape_of(const ProductsParams& p, std::uint32_t number) {
  const std::uint32_t widths[] = {p.hidden, p.q_rows, p.hidden, p.ffn, p.hidden};
  const std::uint32_t rows[] = {p.qkv_rows, p.hidden, 2 * p.ffn, p.hidden};
  return {rows[number % 4], widths[number % 4], widths[number % 4 + 1]};
}
std::vector<std::int8_t> trits_of(const ProductsParams& p, Trits kind, std::uint64_t seed,
                                  std::uint32_t number) {
  const Shape s = shape_of(p, number);
  return make_trits(kind, seed ^ mix(number), s.n, s.k, s.next_k);
}

Bytes pack_products(const ProductsParams& p, Trits kind, std::uint64_t seed) {
  Bytes bytes(std::size_t{kLayoutUnit} * products_weights_units(p));
  for_each_of(4 * p.layers, [&](std::uint32_t number) {
    const Shape s = shape_of(p, number);
    const TernaryMatrix matrix(s.n, s.k, trits_of(p, kind, seed, number), 1.0f);
    const std::uint32_t units = number / 4 * product_units(p, 4) + product_units(p, number % 4);
    const Bytes packed = pack(matrix, Packing::Bits2);
    std::copy(packed.begin(), packed.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(std::size_t{kLayoutUnit} * units));
  });
  return bytes;
}

// The contract, word by word. ------------------------------------------------------------------------

std::vector<std::int32_t> multiply(const std::vector<std::int8_t>& trits,
                                   const std::vector<std::int8_t>& codes, std::uint32_t n) {
  const std::size_t k = codes.size();
  std::vector<std::int32_t> acc(n);
  constexpr std::uint32_t kRows = 64;  // of a thread at a time
  for_each_of((n + kRows - 1) / kRows, [&](std::uint32_t block) {
    for (std::uint32_t r = block * kRows; r < std::min(n, (block + 1) * kRows); ++r) {
      for (std::size_t j = 0; j < k; ++j) acc[r] += codes[j] * trits[r * k + j];
    }
  });
  return acc;
}

// The largest m with m^2 k <= 27 * 2^28.
std::int64_t factor_of(std::uint32_t k) {
  std::int64_t m = 0;
  while ((m + 1) * (m + 1) * k <= std::int64_t{27} << 28) ++m;
  return m;
}

std::vector<std::int8_t> codes_of(const std::vector<std::int32_t>& acc, const Shape& s) {
  const std::int64_t factor = factor_of(s.k);
  std::vector<std::int8_t> codes(s.next_k);
  for (std::size_t r = 0; r < acc.size(); ++r) {
    const std::int64_t scaled = (acc[r] * factor + 32768) >> 16;
    codes[r % s.next_k] ^= static_cast<std::int8_t>(std::clamp<std::int64_t>(scaled, -64, 63));
  }
  return codes;
}

std::vector<std::int32_t> run_all(const ProductsParams& p, Trits kind, std::uint64_t seed,
                                  const std::vector<std::int8_t>& x) {
  std::vector<std::int8_t> codes = x;
  std::vector<std::int32_t> acc(x.begin(), x.end());
  for (std::uint32_t number = 0; number < 4 * p.layers; ++number) {
    const Shape s = shape_of(p, number);
    acc = multiply(trits_of(p, kind, seed, number), codes, s.n);
    codes = codes_of(acc, s);
  }
  return acc;
}

// ----------------------------------------------------------------------------------------------------

std::string shape_text(const ProductsParams& p) {
  return "layers=" + std::to_string(p.layers) + " hidden=" + std::to_string(p.hidden) +
         " q=" + std::to_string(p.q_rows) + " qkv=" + std::to_string(p.qkv_rows) +
         " ffn=" + std::to_string(p.ffn);
}

Launch products_launch(const ProductsParams& p, const Data& data, std::uint64_t seed,
                       std::uint64_t weights_seed, Bytes weights) {
  Launch launch;
  launch.distribution = data.name;
  launch.shape = shape_text(p);
  launch.seed = seed;
  const auto params = as_bytes(p);
  launch.params.assign(params.begin(), params.end());
  const std::vector<std::int8_t> x = make_x(data.start, weights_seed, p.hidden);
  launch.digest = digest(std::as_bytes(std::span(x)), digest(weights));
  const std::size_t work_bytes = std::size_t{kLayoutUnit} * products_work_units(p);
  launch.buffers = {std::move(weights), to_bytes(x), Bytes(work_bytes), {}};
  launch.judge = [want = run_all(p, data.trits, weights_seed, x)](After after) {
    Comparison result;
    const auto out = view_as<std::int32_t>(after[kOut]);
    for (std::uint32_t r = 0; r < want.size(); ++r) {
      result.add(0, r, want[r], out[r], want[r] == out[r]);
    }
    const auto words = view_as<std::uint32_t>(after[kWork]);  // nobody waits, and the mail is empty
    for (std::uint32_t i = 0; i < words.size(); ++i) result.add(1, i, 0, words[i], words[i] == 0);
    return result;
  };
  return launch;
}

}  // namespace

std::vector<Launch> products_battery(const KernelVariant&, std::uint64_t seed) {
  std::vector<Launch> launches;
  for (const ProductsParams& p : kSizes) {
    for (const Data& data : kData) {
      const bool is_large = p.hidden == 2560;  // a few of these are enough, and they take long
      if (is_large && &data > &kData[2]) continue;
      const std::uint64_t weights_seed = mix(seed) ^ mix(p.hidden) ^ p.qkv_rows ^ (p.layers << 16);
      launches.push_back(
          products_launch(p, data, seed, weights_seed, pack_products(p, data.trits, weights_seed)));
    }
  }
  return launches;
}

ProductsParams products_params(const Case& spec) {
  const LayersShape& s = spec.layers.value();
  return {.layers = s.layers,
          .hidden = spec.k,
          .q_rows = s.heads * s.head_dim,
          .qkv_rows = (s.heads + 2 * s.kv_heads) * s.head_dim,
          .ffn = s.ffn};
}

Bytes timed_products_weights(const Case& spec) {
  return pack_products(products_params(spec), kData[0].trits, mix(spec.seed));
}

Launch timed_products(const Case& spec) {
  return products_launch(products_params(spec), kData[0], spec.seed, mix(spec.seed), {});
}

}  // namespace rotor
