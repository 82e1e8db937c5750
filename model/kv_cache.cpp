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

KvCache::KvCache(Device& device, const Config& config, Packing format, std::uint32_t capacity)
    : device_(device),
      id_(next_id()),
      format_(format),
      capacity_(capacity),
      position_bytes_(config.kv_heads * row_bytes(format, config.head_dim)) {
  if (capacity == 0 || capacity > config.max_positions) {
    throw UsageError("a context of " + std::to_string(capacity) +
                     " positions: the model has 1 to " + std::to_string(config.max_positions));
  }
  for (std::uint32_t i = 0; i < 2 * config.layers; ++i) {
    halves_.push_back(device.allocate(position_bytes_ * capacity));
  }
}

std::size_t KvCache::bytes() const {
  return halves_.size() * position_bytes_ * capacity_;
}

View KvCache::half(std::size_t index) const {
  return *halves_[index];
}

void KvCache::append(std::uint32_t count) {
  if (count > capacity_ - length_) {
    throw UsageError("the context is full: " + std::to_string(length_) + " + " +
                     std::to_string(count) + " positions do not fit into " +
                     std::to_string(capacity_) + "; raise --context");
  }
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
      other.halves_.size() != halves_.size() || other.length_ > capacity_) {
    throw UsageError("cannot copy a cache of " + std::to_string(other.length_) + " positions in " +
                     std::string(packing_name(other.format_)) + " into one of " +
                     std::to_string(capacity_) + " in " + std::string(packing_name(format_)));
  }
  std::vector<std::byte> rows(other.length_ * position_bytes_);
  for (std::size_t i = 0; i < halves_.size(); ++i) {
    other.device_.read(View(*other.halves_[i], 0, rows.size()), rows);
    device_.write(View(*halves_[i], 0, rows.size()), rows);
  }
  length_ = other.length_;
}

void KvCache::poison(std::uint32_t position) {
  // All bits set is a NaN in f32 and f16, and in an int8 row's scale.
  const std::size_t from = position * position_bytes_;
  const std::vector<std::byte> rows(capacity_ * position_bytes_ - from, std::byte{0xFF});
  for (const auto& half : halves_) device_.write(View(*half, from, rows.size()), rows);
}

}  // namespace rotor
