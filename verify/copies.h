// Equal areas in the memory of a device, side by side in few large buffers: what rotates so that caches
// do not help, and is still written and read back in few transfers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/device.h"
#include "verify/launches.h"

namespace rotor {

class Copies {
 public:
  // `count` areas of `bytes` each, with guards around. Throws DeviceError if memory is short.
  Copies(Device& device, std::size_t bytes, std::uint32_t count);

  std::uint32_t count() const { return count_; }
  std::size_t bytes() const { return bytes_; }  // of one area
  View operator[](std::uint32_t copy) const;

  // Writes the same content to every area, or to one, and the guards around it.
  void fill(std::span<const std::byte> content);
  void fill(std::uint32_t copy, std::span<const std::byte> content);

  // What lies in an area, and whether nobody wrote around it.
  struct Found {
    std::span<const std::byte> content;
    bool guards_intact = true;
  };
  // Reads every area back, in order.
  void each(const std::function<void(std::uint32_t copy, const Found& found)>& look) const;
  // Reads one; the content lies in `bytes`.
  Found read(std::uint32_t copy, Bytes& bytes) const;

 private:
  std::size_t stride() const;
  View guarded(std::uint32_t copy) const;  // the area with its guards
  Found found(std::span<const std::byte> guarded) const;

  Device& device_;
  std::size_t bytes_;
  std::uint32_t count_;
  std::uint32_t per_buffer_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace rotor
