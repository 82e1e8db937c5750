// What a user with little memory relies on: decoding allocates nothing per token, and the process
// holds the weights, the embedding, the cache and little else.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "model/generate.h"
#include "model/session.h"

namespace {
std::atomic<std::size_t> allocations{0};
}

// Counts what this program allocates; otherwise as usual. Every form is replaced, or a sanitizer would
// see memory of its own allocator given to ours.
static void* counted(std::size_t size, std::size_t alignment) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* p = nullptr;
  return posix_memalign(&p, std::max(alignment, sizeof(void*)), size) == 0 ? p : nullptr;
}
static void* counted_or_throw(std::size_t size, std::size_t alignment) {
  if (void* p = counted(size, alignment)) return p;
  throw std::bad_alloc();
}
constexpr std::size_t kUsual = alignof(std::max_align_t);

// clang-format off
void* operator new(std::size_t n) { return counted_or_throw(n, kUsual); }
void* operator new[](std::size_t n) { return counted_or_throw(n, kUsual); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return counted(n, kUsual); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return counted(n, kUsual); }
void* operator new(std::size_t n, std::align_val_t a) { return counted_or_throw(n, std::size_t(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted_or_throw(n, std::size_t(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
// clang-format on

namespace rotor {
namespace {

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    std::size_t kilobytes = 0;
    if (word == "VmRSS:" && file >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

TEST(Memory, DecodingAllocatesNothingPerToken) {
  Session session({.model = "synthetic:odd/1"});
  KvCache cache(session.device(), session.config(), Packing::F32, 64);
  Sampler sampler({.temperature = 0});
  std::uint32_t token = 1;
  const auto step = [&] {
    token = sampler.next(session.transformer().forward({&token, 1}, cache), {});
  };
  for (int i = 0; i < 3; ++i) step();  // records the sequence, grows every buffer
  const std::size_t before = allocations.load();
  for (int i = 0; i < 20; ++i) step();
  EXPECT_EQ(allocations.load() - before, 0u);
}

TEST(Memory, ResidentSetOf2b4tIsWhatItHolds) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer's shadow memory is not the program's";
#endif
  constexpr std::size_t kSpare = 150'000'000;
  Session session({.model = "synthetic:2b4t/1"});
  KvCache cache(session.device(), session.config(), Packing::F32, 64);
  std::uint32_t token = 1;
  for (int i = 0; i < 3; ++i) session.transformer().forward({&token, 1}, cache);
  const std::size_t held =
      session.transformer().weight_bytes() + session.transformer().table_bytes() + cache.bytes();
  EXPECT_GT(held, 1'050'000'000u);
  EXPECT_LE(resident_bytes(), held + kSpare)
      << "held: " << held / 1e6 << " MB, resident: " << resident_bytes() / 1e6 << " MB";
}

}  // namespace
}  // namespace rotor
