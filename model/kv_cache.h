// Keys and values of past positions, per layer: [layer][position][kv_head][head_dim].
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "model/weights.h"
#include "runtime/device.h"

namespace rotor {

// The format of a cache's rows by its name: f32, f16, int8. Throws UsageError that lists them.
Packing kv_format(std::string_view name);

class KvCache {
 public:
  // Room for `capacity` positions in rows of `format` (F32, F16 or Int8Row). Throws UsageError if
  // the capacity is zero or beyond the model's positions, DeviceError when memory is short.
  KvCache(Device& device, const Config& config, Packing format, std::uint32_t capacity);

  // Distinguishes this cache from every other one of the process, gone ones included: what is
  // recorded for a cache names its buffers, and an address may come again.
  std::uint64_t id() const { return id_; }
  Packing format() const { return format_; }
  std::uint32_t capacity() const { return capacity_; }
  std::uint32_t length() const { return length_; }    // positions held
  std::uint32_t longest() const { return longest_; }  // capacity that the model allows
  std::size_t bytes() const;                          // of all layers, keys and values
  std::size_t bytes_per_position() const { return bytes() / capacity_; }

  View keys(std::uint32_t layer) const { return half(2 * layer); }
  View values(std::uint32_t layer) const { return half(2 * layer + 1); }

  // All layers, as Layers reads them (kernels/layers_layout.h). Nothing where the device cannot bind as
  // much at once.
  std::optional<View> all() const;

  // Throws UsageError with the remedy if `count` more positions do not fit.
  void check_room(std::size_t count) const;
  // Announces `count` more positions. Throws UsageError if they do not fit; nothing changes then.
  void append(std::uint32_t count);
  // Drops all positions from `length` on.
  void truncate(std::uint32_t length);
  // Becomes a copy of another cache, on whatever device that is. Throws UsageError if its rows are
  // others or its positions do not fit.
  void copy_from(const KvCache& other);
  // Fills the rows from `position` on with NaN, in every format: a test that reads a stale row
  // then cannot pass.
  void poison(std::uint32_t position);

 private:
  View half(std::size_t index) const;

  Device& device_;
  std::uint64_t id_;
  Packing format_;
  std::uint32_t capacity_;
  std::uint32_t longest_;
  std::uint32_t length_ = 0;
  std::size_t position_bytes_;  // one layer's keys (or values) of one position
  // Keys, values of layer 0, of layer 1, ...: `spacing_` bytes apart in one buffer, or one buffer each.
  std::size_t halves_;
  std::size_t spacing_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace rotor
