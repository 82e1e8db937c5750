#include "runtime/large_memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

namespace rotor {
namespace {

bool is_aligned(const std::byte* at, std::size_t to) {
  return reinterpret_cast<std::uintptr_t>(at) % to == 0;
}

TEST(LargeMemory, IsAlignedToPages) {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{5000}}) {
    const auto memory = large_memory(bytes);
    ASSERT_NE(memory, nullptr);
    EXPECT_TRUE(is_aligned(memory.get(), 4096));
    std::memset(memory.get(), 0x5a, bytes);
  }
  EXPECT_TRUE(is_aligned(large_memory(5u << 20).get(), 2u << 20));
}

// Each is filled with bytes of its own, which all must still be there at the end.
TEST(LargeMemory, BuffersDoNotOverlapAndOutliveTheirSource) {
  const std::size_t sizes[] = {100,       1u << 20, (1u << 20) + 1, 7'000'001,
                               40u << 20, 3u << 20, 30u << 20,      64};
  std::vector<std::shared_ptr<std::byte>> taken;
  {
    LargeMemory source;
    for (const std::size_t size : sizes) {
      taken.push_back(source.take(size));
      ASSERT_NE(taken.back(), nullptr);
      EXPECT_TRUE(is_aligned(taken.back().get(), 4096));
      std::memset(taken.back().get(), static_cast<int>(taken.size()), size);
    }
  }
  for (std::size_t i = 0; i < taken.size(); ++i) {
    const std::vector<std::byte> wanted(sizes[i], static_cast<std::byte>(i + 1));
    EXPECT_EQ(std::memcmp(taken[i].get(), wanted.data(), sizes[i]), 0) << i;
    taken[i].reset();  // the others of its area stay
  }
}

}  // namespace
}  // namespace rotor
