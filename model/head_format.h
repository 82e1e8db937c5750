// How the head turns the last hidden state into logits, and how a cheap pass over a coarse copy of the
// table finds those rows that can be among the best.
//
// The 16-bit table is more than half of the bytes that a token reads. A coarse copy (int8 rows) is read
// instead; the Cauchy-Schwarz inequality bounds by how much each logit can be off, and only rows whose
// upper bound reaches the lower bound of the best are computed from the exact table, by the same
// kernel. So the largest logits, and which rows they belong to, are those of the full product, bit for
// bit.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/variant.h"
#include "model/weights.h"

namespace rotor {

enum class HeadFormat : std::uint8_t {
  Auto,    // Exact on a CPU where few of the largest logits decide, else Stored: choose_head
  Stored,  // the table as the checkpoint has it
  F32,
  F16,
  Bf16,
  Int8,   // one scale per row
  Bits6,  // one scale per 32 elements
  Exact,  // the table as stored, behind a pass over an int8 copy
};

std::string_view head_format_name(HeadFormat format);  // "bits6"
// Throws UsageError that lists the names.
HeadFormat head_format(std::string_view name);

// What Auto is on a device, for a caller that needs the `top` largest logits (0: all). Half of the table's
// bytes are read then, which is a quarter to a third of all bytes of a token; gathering rows from a
// GPU costs more than that saves. Other formats stay what they are.
HeadFormat choose_head(HeadFormat format, Backend backend, std::uint32_t top);

// What the tables are kept in; `stored` for Stored and Exact.
Packing head_packing(HeadFormat format, Packing stored);

// The same rows in another format, converted one by one.
Table convert_table(const Table& table, Packing packing);

// How far the logits of a coarse table can be from those of the exact one, per unit of the length of x.
class HeadBound {
 public:
  HeadBound() = default;
  // Both tables [rows, columns].
  HeadBound(const Table& exact, const Table& coarse);

  // The rows that may be among the `top` (at least 1) largest exact logits, or equal to the last, in ascending order: never too few. x:
  // [columns], the input of the head; coarse: [rows] logits of the coarse table. False if x or a logit
  // is not finite, or more than `limit` rows remain: then all rows have to be computed.
  bool candidates(std::span<const float> x, std::span<const float> coarse, std::uint32_t top,
                  std::size_t limit, std::vector<std::uint32_t>& rows) const;

 private:
  std::vector<float> slack_;          // [rows], lengths
  mutable std::vector<double> best_;  // [top], kept to allocate nothing per token
};

}  // namespace rotor
