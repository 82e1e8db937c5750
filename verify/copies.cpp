#include "verify/copies.h"

#include <algorithm>
#include <cassert>

namespace rotor {
namespace {

constexpr std::size_t kGuard = kViewAlignment;  // at least, on both sides of an area
constexpr std::byte kGuardByte{0xFF};
// What is transferred at once, unless one area is larger: many small areas, but no more than a cache
// holds.
constexpr std::size_t kBufferBytes = 8u << 20;

std::size_t aligned(std::size_t bytes) {
  return (bytes + kViewAlignment - 1) / kViewAlignment * kViewAlignment;
}

// An area as it is written: guards, content, guards.
Bytes with_guards(std::span<const std::byte> content, std::size_t stride) {
  Bytes bytes(stride, kGuardByte);
  std::copy(content.begin(), content.end(), bytes.begin() + kGuard);
  return bytes;
}

}  // namespace

Copies::Copies(Device& device, std::size_t bytes, std::uint32_t count)
    : device_(device),
      bytes_(bytes),
      count_(count),
      per_buffer_(
          static_cast<std::uint32_t>(std::clamp<std::size_t>(kBufferBytes / stride(), 1, count))) {
  for (std::uint32_t first = 0; first < count; first += per_buffer_) {
    const std::size_t areas = std::min(per_buffer_, count - first);
    buffers_.push_back(device.allocate(areas * stride()));
  }
}

std::size_t Copies::stride() const {
  return aligned(bytes_) + 2 * kGuard;
}

View Copies::guarded(std::uint32_t copy) const {
  return {*buffers_[copy / per_buffer_], copy % per_buffer_ * stride(), stride()};
}

View Copies::operator[](std::uint32_t copy) const {
  const View view = guarded(copy);
  return {*view.buffer, view.offset + kGuard, bytes_};
}

void Copies::fill(std::span<const std::byte> content) {
  assert(content.size() == bytes_);
  const Bytes area = with_guards(content, stride());
  Bytes image;
  image.reserve(buffers_.front()->bytes());
  for (const auto& buffer : buffers_) {
    while (image.size() < buffer->bytes()) image.insert(image.end(), area.begin(), area.end());
    device_.write(*buffer, std::span(image).first(buffer->bytes()));
  }
}

void Copies::fill(std::uint32_t copy, std::span<const std::byte> content) {
  assert(content.size() == bytes_);
  const View area = guarded(copy);
  if (bytes_ < kBufferBytes) {
    device_.write(area, with_guards(content, stride()));
    return;
  }
  // A large area from where its content lies.
  const Bytes guard(stride() - kGuard - bytes_, kGuardByte);
  device_.write({*area.buffer, area.offset, kGuard}, std::span(guard).first(kGuard));
  device_.write((*this)[copy], content);
  device_.write({*area.buffer, area.offset + kGuard + bytes_, guard.size()}, guard);
}

Copies::Found Copies::found(std::span<const std::byte> guarded) const {
  const auto untouched = [](std::byte b) { return b == kGuardByte; };
  const auto before = guarded.first(kGuard);
  const auto behind = guarded.subspan(kGuard + bytes_);
  return {guarded.subspan(kGuard, bytes_),
          std::all_of(before.begin(), before.end(), untouched) &&
              std::all_of(behind.begin(), behind.end(), untouched)};
}

void Copies::each(const std::function<void(std::uint32_t, const Found&)>& look) const {
  Bytes image;
  for (std::uint32_t copy = 0; copy < count_; ++copy) {
    const View view = guarded(copy);
    if (view.offset == 0) {
      image.resize(view.buffer->bytes());
      device_.read(*view.buffer, image);
    }
    look(copy, found(std::span(image).subspan(view.offset, view.bytes)));
  }
}

Copies::Found Copies::read(std::uint32_t copy, Bytes& bytes) const {
  bytes.resize(stride());
  device_.read(guarded(copy), bytes);
  return found(bytes);
}

}  // namespace rotor
