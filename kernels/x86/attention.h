// Attention, four queries by sixteen elements at a time (L is Avx2 or Avx512). Included inside a target
// region.
//
// Online softmax (Milakov, Gimelshein: "Online normalizer calculation for softmax", 2018) over blocks of
// positions. Queries that read the same kv head form tiles of four, which share each load of a key or
// value; all tiles of a batch take a block before any takes the next, so the cache streams from memory
// once, however many heads and tokens the slice has. Blocks begin at multiples of kBlock and no sum
// mixes queries, so an output depends on its query and cache rows alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/variant.h"
#include "kernels/x86/exp2.h"
#include "kernels/x86/float_rows.h"

namespace rotor::cpu {
namespace {

inline constexpr std::size_t kBlock = 64;  // positions: scores of a tile take 1 KB, keys and values
                                           // of a kv head 64 KB in f32 at head_dim 128
inline constexpr std::size_t kMaxTiles = 64;

// Up to four queries of one kv head. In arrays of floats lane 4 p + r belongs to position p and query
// r; queries that are missing are zero and see the positions of query 0. The last two are left out of the
// work where both are missing: a thread's slice often ends within a kv head.
struct Tile {
  const std::byte* keys;  // row of position 0
  const std::byte* values;
  std::size_t queries;
  std::size_t positions[4];  // each query sees these many
  float* out[4];             // [head_dim]
  float* q;                  // [4, padded head_dim], scaled
  float* sums;               // [4, padded head_dim], of weight * value
  float* tops;               // [16], the largest score of each query, four times
  float* totals;             // [16], partial sums of the weights

  std::size_t last() const { return *std::max_element(positions, positions + 4); }
};

// What all tiles of a call share.
struct Shape {
  std::size_t head_dim;
  std::size_t padded;  // head_dim in whole vectors
  std::size_t row;     // bytes of a row of keys or values
  std::size_t stride;  // bytes from one position to the next
  float* scores;       // [kBlock, 4]
};

// How a block of positions looks to a tile: positions first ... first + count - 1. Of the next block
// the tile fetches `ahead` positions while it works on this one: rows of a kv head lie too far apart for
// the prefetchers of the hardware (Zen 5, 2048 positions of 5 x 128, f16: 583 us without, 250 with; f32:
// 970 and 500). Into the second-level cache: the first is too small for two blocks (f16: 552 us).
struct Block {
  std::size_t first;
  std::size_t count;
  std::size_t ahead;
};

ROTOR_INLINE void fetch(const std::byte* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(from + i), _MM_HINT_T1);
  }
}

// scores[4 p + r] = q[r] . key[first + p] (0 from r = kQueries on), for p below count rounded up to four:
// past the end the last key stands in, and the mask takes its score away.
template <typename L, typename Row, std::size_t kQueries>
ROTOR_INLINE void score(const Tile& tile, const Shape& s, Block block) {
  constexpr std::size_t kPositions = L::kPositions;
  for (std::size_t p = 0; p < (block.count + 3) / 4 * 4; p += kPositions) {
    const std::byte* keys[kPositions];
    typename L::V sums[4][kPositions];
    ROTOR_UNROLL
    for (std::size_t i = 0; i < kPositions; ++i) {
      keys[i] = tile.keys + (block.first + std::min(p + i, block.count - 1)) * s.stride;
      if (p + i < block.ahead) fetch(tile.keys + (block.first + kBlock + p + i) * s.stride, s.row);
      ROTOR_UNROLL
      for (std::size_t r = 0; r < 4; ++r) sums[r][i] = L::zero();
    }
    const auto add_products = [&](std::size_t d, auto n) {
      typename L::V k[kPositions];
      ROTOR_UNROLL
      for (std::size_t i = 0; i < kPositions; ++i) k[i] = Row::at(keys[i], d, n);
      ROTOR_UNROLL
      for (std::size_t r = 0; r < kQueries; ++r) {
        const auto q = L::load(tile.q + r * s.padded + d, typename L::All{});
        ROTOR_UNROLL
        for (std::size_t i = 0; i < kPositions; ++i) sums[r][i] = L::fma(q, k[i], sums[r][i]);
      }
    };
    std::size_t d = 0;
    for (; d + 16 <= s.head_dim; d += 16) add_products(d, typename L::All{});
    if (d < s.head_dim) add_products(d, s.head_dim - d);
    L::store_totals(s.scores + 4 * p, sums);
  }
}

// The scales of four rows from position p of the block on (the last one stands in past the end), each
// in the lanes of its position.
template <typename L, typename Row>
ROTOR_INLINE typename L::V row_scales(const std::byte* rows, const Shape& s, Block block,
                                      std::size_t p) {
  float scales[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t at = block.first + std::min(p + i, block.count - 1);
    scales[i] = Row::scale(rows + at * s.stride, s.head_dim);
  }
  return L::each_four_times(scales);
}

// Turns the block's scores into weights exp(score - top), and adds them to the totals. Returns by what
// earlier sums shrink.
template <typename L, typename Row>
ROTOR_INLINE typename L::V soften(const Tile& tile, const Shape& s, Block block) {
  constexpr typename L::All kAll{};
  const float positions[4] = {0, 1, 2, 3};
  float ends[4];
  for (std::size_t r = 0; r < 4; ++r) {
    const std::size_t end = std::max(tile.positions[r], block.first) - block.first;
    ends[r] = static_cast<float>(std::min(end, block.count));
  }
  const auto end = L::four_times(ends);
  const auto old_top = L::load(tile.tops, kAll);
  auto top = old_top;
  auto position = L::each_four_times(positions);
  for (std::size_t p = 0; p < block.count; p += 4) {
    auto x = L::load(s.scores + 4 * p, kAll);
    if constexpr (Row::kScaled) x = L::mul(x, row_scales<L, Row>(tile.keys, s, block, p));
    x = L::where_less(position, end, x, L::broadcast(-std::numeric_limits<float>::infinity()));
    L::store(s.scores + 4 * p, x, kAll);
    top = L::max(top, x);
    position = L::add(position, L::broadcast(4.0f));
  }
  top = L::max_of_positions(top);
  const auto shrink = exp2<L>(L::sub(old_top, top));
  auto totals = L::mul(L::load(tile.totals, kAll), shrink);
  for (std::size_t p = 0; p < block.count; p += 4) {
    auto weights = exp2<L>(L::sub(L::load(s.scores + 4 * p, kAll), top));
    totals = L::add(totals, weights);
    if constexpr (Row::kScaled) {
      weights = L::mul(weights, row_scales<L, Row>(tile.values, s, block, p));
    }
    L::store(s.scores + 4 * p, weights, kAll);
  }
  L::store(tile.tops, top, kAll);
  L::store(tile.totals, totals, kAll);
  return shrink;
}

// sums[r] = sums[r] * shrink[r] + sum over p of weight[4 p + r] * value[first + p], for kColumns
// vectors of `n` columns from column d on. A query adds only positions that it sees: what lies in the
// others may be NaN, which a zero weight would not hide.
template <typename L, typename Row, std::size_t kQueries, std::size_t kColumns, typename Count>
ROTOR_INLINE void add_values(const Tile& tile, const Shape& s, Block block, const float* shrink,
                             std::size_t d, Count n) {
  constexpr typename L::All kAll{};
  std::size_t ends[kQueries];
  for (std::size_t r = 0; r < kQueries; ++r) {
    ends[r] = std::min(std::max(tile.positions[r], block.first) - block.first, block.count);
  }
  const std::size_t common = *std::min_element(ends, ends + kQueries);
  typename L::V sums[kQueries][kColumns];
  ROTOR_UNROLL
  for (std::size_t r = 0; r < kQueries; ++r) {
    ROTOR_UNROLL
    for (std::size_t c = 0; c < kColumns; ++c) {
      const auto sum = L::load(tile.sums + r * s.padded + d + 16 * c, kAll);
      sums[r][c] = L::mul(sum, L::broadcast(shrink[r]));
    }
  }
  const auto add_position = [&](std::size_t p, auto sees) {
    const std::byte* row = tile.values + (block.first + p) * s.stride;
    typename L::V v[kColumns];
    ROTOR_UNROLL
    for (std::size_t c = 0; c < kColumns; ++c) v[c] = Row::at(row, d + 16 * c, n);
    constexpr std::size_t kBytes = Row::kElementBytes;
    if (p < block.ahead) fetch(row + kBlock * s.stride + d * kBytes, 16 * kColumns * kBytes);
    ROTOR_UNROLL
    for (std::size_t r = 0; r < kQueries; ++r) {
      if (!sees(r)) continue;
      const auto weight = L::broadcast(s.scores[4 * p + r]);
      ROTOR_UNROLL
      for (std::size_t c = 0; c < kColumns; ++c) sums[r][c] = L::fma(weight, v[c], sums[r][c]);
    }
  };
  std::size_t p = 0;
  for (; p < common; ++p) add_position(p, [](std::size_t) { return true; });
  for (; p < block.count; ++p) add_position(p, [&](std::size_t r) { return p < ends[r]; });
  ROTOR_UNROLL
  for (std::size_t r = 0; r < kQueries; ++r) {
    ROTOR_UNROLL
    for (std::size_t c = 0; c < kColumns; ++c) {
      L::store(tile.sums + r * s.padded + d + 16 * c, sums[r][c], kAll);
    }
  }
}

template <typename L, typename Row, std::size_t kQueries>
ROTOR_INLINE void attend_block(const Tile& tile, const Shape& s, Block block) {
  score<L, Row, kQueries>(tile, s, block);
  float shrink[16];
  L::store(shrink, soften<L, Row>(tile, s, block), typename L::All{});
  std::size_t d = 0;
  for (; d + 16 * L::kColumns <= s.head_dim; d += 16 * L::kColumns) {
    add_values<L, Row, kQueries, L::kColumns>(tile, s, block, shrink, d, typename L::All{});
  }
  for (; d + 16 <= s.head_dim; d += 16) {
    add_values<L, Row, kQueries, 1>(tile, s, block, shrink, d, typename L::All{});
  }
  if (d < s.head_dim) add_values<L, Row, kQueries, 1>(tile, s, block, shrink, d, s.head_dim - d);
}

template <typename L>
ROTOR_INLINE void finish(const Tile& tile, const Shape& s) {
  float totals[16];
  L::store(totals, L::sum_of_positions(L::load(tile.totals, typename L::All{})), typename L::All{});
  for (std::size_t r = 0; r < tile.queries; ++r) {
    const auto write = [&](std::size_t d, auto n) {
      const auto sum = L::load(tile.sums + r * s.padded + d, typename L::All{});
      L::store(tile.out[r] + d, L::div(sum, L::broadcast(totals[r])), n);
    };
    std::size_t d = 0;
    for (; d + 16 <= s.head_dim; d += 16) write(d, typename L::All{});
    if (d < s.head_dim) write(d, s.head_dim - d);
  }
}

// Takes all tiles through all positions, block by block.
template <typename L, typename Row>
void run_tiles(const Tile* tiles, std::size_t tile_count, const Shape& s) {
  std::size_t positions = 0;
  for (std::size_t i = 0; i < tile_count; ++i) positions = std::max(positions, tiles[i].last());
  for (std::size_t first = 0; first < positions; first += kBlock) {
    for (std::size_t i = 0; i < tile_count; ++i) {
      const std::size_t last = tiles[i].last();
      if (first >= last) continue;
      const std::size_t count = std::min(kBlock, last - first);
      // Tiles of other tokens find what the first tile of the kv head fetched.
      const bool fetches = i == 0 || tiles[i].keys != tiles[i - 1].keys;
      const std::size_t ahead = fetches ? std::min(kBlock, last - first - count) : 0;
      const Block block{first, count, ahead};
      if (tiles[i].queries > 2) {
        attend_block<L, Row, 4>(tiles[i], s, block);
      } else {
        attend_block<L, Row, 2>(tiles[i], s, block);
      }
    }
  }
  for (std::size_t i = 0; i < tile_count; ++i) finish<L>(tiles[i], s);
}

// Hands out scratch to tiles and runs them when it is full.
template <typename L, typename Row>
class Tiles {
 public:
  Tiles(const Shape& shape, float* memory, std::size_t floats)
      : shape_(shape), memory_(memory), room_(std::min(kMaxTiles, floats / floats_of_a_tile())) {}

  std::size_t room() const { return room_; }

  void open(const std::byte* keys, const std::byte* values) {
    if (count_ == room_) run();
    const std::size_t rows = 4 * shape_.padded;
    float* at = memory_ + count_ * floats_of_a_tile();
    std::fill(at, at + floats_of_a_tile(), 0.0f);
    tiles_[count_++] = {keys, values, 0, {}, {}, at, at + rows, at + 2 * rows, at + 2 * rows + 16};
    std::fill_n(at + 2 * rows, 16, -std::numeric_limits<float>::infinity());
  }

  bool full() const { return tiles_[count_ - 1].queries == 4; }

  // q: [head_dim], out: [head_dim].
  void add_query(const float* q, float scale, std::size_t positions, float* out) {
    Tile& tile = tiles_[count_ - 1];
    if (tile.queries == 0) std::fill_n(tile.positions, 4, positions);
    tile.positions[tile.queries] = positions;
    tile.out[tile.queries] = out;
    float* to = tile.q + tile.queries * shape_.padded;
    for (std::size_t d = 0; d < shape_.head_dim; ++d) to[d] = q[d] * scale;
    ++tile.queries;
  }

  void run() {
    run_tiles<L, Row>(tiles_, count_, shape_);
    count_ = 0;
  }

 private:
  std::size_t floats_of_a_tile() const { return 8 * shape_.padded + 32; }

  const Shape& shape_;
  float* memory_;
  std::size_t room_;
  std::size_t count_ = 0;
  Tile tiles_[kMaxTiles];
};

template <typename L, typename Row>
void attention(const CpuCall& call) {
  const auto& p = call.parameters<AttentionParams>();
  const float* qkv = call.buffer<const float>(0);  // [m, q k v]
  const std::size_t position = *call.buffer<const std::uint32_t>(1);
  const std::byte* keys = call.buffer<const std::byte>(2);  // [capacity, kv_heads] rows
  const std::byte* values = call.buffer<const std::byte>(3);
  float* out = call.buffer<float>(4);  // [m, heads * head_dim]
  const std::size_t heads = p.heads, dim = p.head_dim, group = heads / p.kv_heads;
  const std::size_t width = (heads + 2 * p.kv_heads) * dim;
  const std::size_t bytes = row_bytes(Row::kPacking, p.head_dim);
  float* scratch = reinterpret_cast<float*>(call.scratch);
  const Shape shape{dim, (dim + 15) / 16 * 16, bytes, bytes * p.kv_heads, scratch};
  Tiles<L, Row> tiles(shape, scratch + 4 * kBlock, kScratchBytes / 4 - 4 * kBlock);
  // Weights are powers of two, so scores are scaled by log2(e), too.
  const auto scale = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(dim)));

  // As many tokens at a time as there is room for; of these, a kv head after the other.
  const std::size_t tokens =
      std::max<std::size_t>(1, tiles.room() / (p.kv_heads * ((group + 3) / 4)));
  for (std::size_t first = call.begin / heads; first * heads < call.end; first += tokens) {
    for (std::size_t kv_head = 0; kv_head < p.kv_heads; ++kv_head) {
      bool fresh = true;
      for (std::size_t i = 0; i < tokens * group; ++i) {
        const std::size_t token = first + i / group;
        const std::size_t at = token * heads + kv_head * group + i % group;
        if (at < call.begin || at >= call.end) continue;
        if (fresh || tiles.full()) tiles.open(keys + kv_head * bytes, values + kv_head * bytes);
        fresh = false;
        tiles.add_query(qkv + token * width + (at - token * heads) * dim, scale,
                        position + token + 1, out + at * dim);
      }
    }
    tiles.run();
  }
}

}  // namespace
}  // namespace rotor::cpu
