#include "model/head_format.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "core/error.h"
#include "model/parallel.h"
#include "runtime/large_memory.h"

namespace rotor {
namespace {

struct HeadName {
  std::string_view name;
  HeadFormat format;
};
constexpr std::array kNames = {
    HeadName{"auto", HeadFormat::Auto},   HeadName{"stored", HeadFormat::Stored},
    HeadName{"f32", HeadFormat::F32},     HeadName{"f16", HeadFormat::F16},
    HeadName{"bf16", HeadFormat::Bf16},   HeadName{"int8", HeadFormat::Int8},
    HeadName{"bits6", HeadFormat::Bits6}, HeadName{"exact", HeadFormat::Exact}};

float rounded_up(double x) {
  return std::nextafter(static_cast<float>(x), std::numeric_limits<float>::infinity());
}

std::span<const std::byte> row_of(const Table& table, std::size_t row) {
  const std::size_t bytes = row_bytes(table.packing, table.columns);
  return table.bytes.subspan(row * bytes, bytes);
}

}  // namespace

std::string_view head_format_name(HeadFormat format) {
  for (const HeadName& known : kNames) {
    if (known.format == format) return known.name;
  }
  return "?";
}

HeadFormat head_format(std::string_view name) {
  std::string names;
  for (const HeadName& known : kNames) {
    if (known.name == name) return known.format;
    names.append(names.empty() ? "" : ", ").append(known.name);
  }
  throw UsageError("--head " + std::string(name) + ": must be one of " + names);
}

HeadFormat choose_head(HeadFormat format, Backend backend, std::uint32_t top) {
  if (format != HeadFormat::Auto) return format;
  return backend == Backend::Cpu && top > 0 ? HeadFormat::Exact : HeadFormat::Stored;
}

Packing head_packing(HeadFormat format, Packing stored) {
  switch (format) {
    case HeadFormat::F32:
      return Packing::F32;
    case HeadFormat::F16:
      return Packing::F16;
    case HeadFormat::Bf16:
      return Packing::Bf16;
    case HeadFormat::Int8:
      return Packing::Int8Row;
    case HeadFormat::Bits6:
      return Packing::Bits6Row;
    case HeadFormat::Auto:
    case HeadFormat::Stored:
    case HeadFormat::Exact:
      break;
  }
  return stored;
}

Table convert_table(const Table& table, Packing packing) {
  const std::size_t bytes = row_bytes(packing, table.columns);
  // Not a vector: filling hundreds of megabytes with zeros first takes longer than converting.
  std::shared_ptr<std::byte> memory = large_memory(table.rows * bytes);
  if (memory == nullptr) {
    throw DeviceError("out of memory: a table of " + std::to_string(table.rows * bytes) +
                          " bytes could not be had",
                      DeviceFault::Memory);
  }
  const std::span all(memory.get(), table.rows * bytes);
  in_slices(table.rows, [&](std::size_t begin, std::size_t end) {
    std::vector<float> values(table.columns);
    for (std::size_t row = begin; row < end; ++row) {
      decode_row(table.packing, row_of(table, row), values);
      encode_row(packing, values, all.subspan(row * bytes, bytes));
    }
  });
  return {packing, table.rows, table.columns, all, std::move(memory)};
}

// |full - coarse| <= |w - v| |x| for rows w and v in exact arithmetic; each kernel adds at most
// (k / 16 + 8) roundings of the products' magnitudes (verify's bound for Head), which Cauchy-Schwarz
// makes |w| |x| and |v| |x| at most.
HeadBound::HeadBound(const Table& exact, const Table& coarse) : slack_(exact.rows) {
  const double roundings = (exact.columns / 16.0 + 8) * 0x1p-24;
  in_slices(exact.rows, [&](std::size_t begin, std::size_t end) {
    std::vector<float> w(exact.columns), v(exact.columns);
    for (std::size_t row = begin; row < end; ++row) {
      decode_row(exact.packing, row_of(exact, row), w);
      decode_row(coarse.packing, row_of(coarse, row), v);
      double difference = 0, of_w = 0, of_v = 0;
      for (std::size_t j = 0; j < w.size(); ++j) {
        const double d = double{w[j]} - v[j];
        difference += d * d;
        of_w += double{w[j]} * w[j];
        of_v += double{v[j]} * v[j];
      }
      slack_[row] =
          rounded_up(std::sqrt(difference) + roundings * (std::sqrt(of_w) + std::sqrt(of_v)));
    }
  });
}

bool HeadBound::candidates(std::span<const float> x, std::span<const float> coarse,
                           std::uint32_t top, std::size_t limit,
                           std::vector<std::uint32_t>& rows) const {
  // In double. What these sums lose is far below the half step of a float that the slack was rounded up
  // by: logits are at most 2^21 slacks, as the slack holds 2^-21 of the rows' lengths.
  double squares = 0;
  for (const float v : x) squares += double{v} * v;
  const double length = rounded_up(std::sqrt(squares));
  if (!std::isfinite(length)) return false;
  best_.clear();  // the `top` largest lower bounds, the smallest of them in front
  for (std::size_t i = 0; i < slack_.size(); ++i) {
    if (!std::isfinite(coarse[i])) return false;
    const double floor = coarse[i] - length * slack_[i];
    if (best_.size() == top) {
      if (floor <= best_.front()) continue;
      std::pop_heap(best_.begin(), best_.end(), std::greater<>());
      best_.pop_back();
    }
    best_.push_back(floor);
    std::push_heap(best_.begin(), best_.end(), std::greater<>());
  }
  rows.clear();
  for (std::size_t i = 0; i < slack_.size(); ++i) {
    if (coarse[i] + length * slack_[i] < best_.front()) continue;
    if (rows.size() == limit) return false;
    rows.push_back(static_cast<std::uint32_t>(i));
  }
  return true;
}

}  // namespace rotor
