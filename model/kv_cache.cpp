#include "model/kv_cache.h"

#include <atomic>
#include <string>

#include "core/error.h"

namespace rotor {
namespace {

std::uint64_t next_id() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Packing kv_format(std::string_view name) {
  for (const Packing packing : {Packing::F32, Packing::F16, Packing::Int8Row}) {
    if (name == packing_name(packing) || (name == "int8" && packing == Packing::Int8Row)) {
      return packing;
    }
  }
  throw UsageError("--kv " + std::string(name) + ": known formats are f32, f16 and int8");
}

KvCache::KvCache(Device& device, const Config& config, Packing format, std::uint32_t capacity)
    : device_(device),
      id_(next_id()),
      format_(format),
      capacity_(capacity),
      longest_(config.max_positions),
      position_bytes_(config.kv_heads * row_bytes(format, config.head_dim)) {
  if (capacity == 0 || capacity > config.max_positions) {
    throw UsageError("a context of " + std::to_string(capacity) +
                     " positions: the model has 1 to " + std::to_string(config.max_positions));
  }
  halves_ = 2 * config.layers;
  spacing_ = (position_bytes_ * capacity + kViewAlignment - 1) / kViewAlignment * kViewAlignment;
  const bool in_one = halves_ * spacing_ <= device.info().max_view_bytes;
  for (std::size_t i = 0; i < (in_one ? 1 : halves_); ++i) {
    buffers_.push_back(device.allocate(in_one ? halves_ * spacing_ : spacing_));
  }
}

std::size_t KvCache::bytes() const {
  return halves_ * position_bytes_ * capacity_;
}

View KvCache::half(std::size_t index) const {
  const bool in_one = buffers_.size() == 1;
  return {*buffers_[in_one ? 0 : index], in_one ? index * spacing_ : 0,
          position_bytes_ * capacity_};
}

std::optional<View> KvCache::all() const {
  if (buffers_.size() != 1) return std::nullopt;
  return View(*buffers_.front());
}

void KvCache::check_room(std::size_t count) const {
  if (count <= capacity_ - length_) return;
  throw UsageError(
      "the context is full: " + std::to_string(length_) + " + " + std::to_string(count) +
      " positions do not fit into " + std::to_string(capacity_) +
      (capacity_ < longest_ ? "; raise --context (the model has " + std::to_string(longest_) + ")"
                            : ", and the model has no more; shorten the text"));
}

void KvCache::append(std::uint32_t count) {
  check_room(count);
  length_ += count;
}

void KvCache::truncate(std::uint32_t length) {
  if (length > length_) {
    throw UsageError("cannot truncate a cache of " + std::to_string(length_) + " positions to " +
                     std::to_string(length));
  }
  length_ = length;
}

void KvCache::copy_from(const KvCache& other) {
  if (other.format_ != format_ || other.position_bytes_ != position_bytes_ ||
      other.halves_ != halves_ || other.length_ > capacity_) {
    throw UsageError("cannot copy a cache of " + std::to_string(other.length_) + " positions in " +
                     std::string(packing_name(other.format_)) + " into one of " +
                     std::to_string(capacity_) + " in " + std::string(packing_name(format_)));
  }
  std::vector<std::byte> rows(other.length_ * position_bytes_);
  for (std::size_t i = 0; i < halves_; ++i) {
    other.device_.read(other.half(i), rows);
    device_.write(half(i), rows);
  }
  length_ = other.length_;
}

void KvCache::poison(std::uint32_t position) {
  // All bits set is a NaN in f32 and f16, and in an int8 row's scale.
  const std::size_t from = position * position_bytes_;
  const std::vector<std::byte> rows(capacity_ * position_bytes_ - from, std::byte{0xFF});
  for (std::size_t i = 0; i < halves_; ++i) {
    const View all = half(i);
    device_.write(View(*all.buffer, all.offset + from, rows.size()), rows);
  }
}

}  // namespace rotor
