// What a user with little memory relies on: decoding allocates nothing per token, and the process
// holds the weights, the embedding, the cache and little else.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "model/generate.h"
#include "model/session.h"

namespace {
std::atomic<std::size_t> allocations{0};
}

// Counts what this program allocates; otherwise as usual.
void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

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
  EXPECT_GT(held, 1'100'000'000u);
  EXPECT_LE(resident_bytes(), held + kSpare)
      << "held: " << held / 1e6 << " MB, resident: " << resident_bytes() / 1e6 << " MB";
}

}  // namespace
}  // namespace rotor
