#include "runtime/large_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>

namespace rotor {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kLargePage = 2u << 20;
constexpr std::size_t kArea = 16 * kLargePage;
// Smaller ones have memory of their own, so that tools find what reads beyond its end.
constexpr std::size_t kShared = 1u << 20;

std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return std::max<std::size_t>((bytes + unit - 1) / unit, 1) * unit;
}

}  // namespace

std::shared_ptr<std::byte> large_memory(std::size_t bytes) {
  const bool is_large = bytes >= kLargePage;
  const std::size_t size = rounded_up(bytes, kPage);
  void* memory = nullptr;  // aligned_alloc would have to round the size up to the alignment
  if (posix_memalign(&memory, is_large ? kLargePage : kPage, size) != 0) return nullptr;
  if (is_large) ::madvise(memory, size, MADV_HUGEPAGE);  // a wish: systems without them refuse
  return {static_cast<std::byte*>(memory), std::free};
}

std::shared_ptr<std::byte> LargeMemory::take(std::size_t bytes) {
  if (bytes < kShared) return large_memory(bytes);
  const std::size_t size = rounded_up(bytes, kPage);
  if (used_ + size > size_) {
    const std::size_t area = std::max(rounded_up(size, kLargePage), kArea);
    std::shared_ptr<std::byte> fresh = large_memory(area);
    if (fresh == nullptr) return nullptr;
    area_ = std::move(fresh);
    size_ = area;
    used_ = 0;
  }
  const std::shared_ptr<std::byte> taken(area_, area_.get() + used_);
  used_ += size;
  return taken;
}

}  // namespace rotor
