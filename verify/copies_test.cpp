#include "verify/copies.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/devices.h"

namespace rotor {
namespace {

constexpr std::size_t kBytes = 1000;  // no multiple of the alignment

std::size_t intact(const Copies& copies) {
  std::size_t count = 0;
  copies.each([&](std::uint32_t, const Copies::Found& found) { count += found.guards_intact; });
  return count;
}

TEST(Copies, LargeOnesAreWrittenFromWhereTheyLie) {
  constexpr std::size_t kLarge = (8u << 20) + kBytes;
  const auto device = open_cpu({.threads = 1});
  Copies copies(*device, kLarge, 2);
  const Bytes content(kLarge, std::byte{3});
  for (std::uint32_t copy = 0; copy < 2; ++copy) copies.fill(copy, content);
  EXPECT_EQ(intact(copies), 2u);
  Bytes bytes;
  const Copies::Found found = copies.read(1, bytes);
  EXPECT_TRUE(std::equal(found.content.begin(), found.content.end(), content.begin()));
}

TEST(Copies, HoldTheirContentApart) {
  const auto device = open_cpu({.threads = 1});
  Copies copies(*device, kBytes, 3);
  copies.fill(Bytes(kBytes, std::byte{1}));
  copies.fill(1, Bytes(kBytes, std::byte{2}));
  std::vector<Bytes> seen;
  copies.each([&](std::uint32_t copy, const Copies::Found& found) {
    EXPECT_EQ(copy, seen.size());
    EXPECT_TRUE(found.guards_intact);
    seen.emplace_back(found.content.begin(), found.content.end());
  });
  EXPECT_EQ(seen, (std::vector<Bytes>{Bytes(kBytes, std::byte{1}), Bytes(kBytes, std::byte{2}),
                                      Bytes(kBytes, std::byte{1})}));
  Bytes bytes;
  const Copies::Found one = copies.read(1, bytes);
  EXPECT_TRUE(one.guards_intact);
  EXPECT_EQ(Bytes(one.content.begin(), one.content.end()), seen[1]);
}

TEST(Copies, TellWhatWasWrittenAround) {
  const auto device = open_cpu({.threads = 1});
  Copies copies(*device, kBytes, 3);
  copies.fill(Bytes(kBytes));
  EXPECT_EQ(intact(copies), 3u);
  const View second = copies[1];
  const Bytes one(1, std::byte{7});
  device->write({*second.buffer, second.offset + second.bytes, 1}, one);
  EXPECT_EQ(intact(copies), 2u);
  const View first = copies[0];
  device->write({*first.buffer, first.offset - 1, 1}, one);
  EXPECT_EQ(intact(copies), 1u);
}

// More than one buffer takes; every view within a buffer, aligned, and none over another.
TEST(Copies, SpreadOverBuffers) {
  const auto device = open_cpu({.threads = 1});
  constexpr std::size_t kLarge = 3u << 20;
  Copies copies(*device, kLarge, 5);
  std::set<Buffer*> buffers;
  for (std::uint32_t copy = 0; copy < copies.count(); ++copy) {
    const View view = copies[copy];
    EXPECT_EQ(view.offset % kViewAlignment, 0u);
    EXPECT_LE(view.offset + view.bytes, view.buffer->bytes());
    buffers.insert(view.buffer);
    device->write(view, Bytes(1, std::byte{static_cast<unsigned char>(copy)}));
  }
  EXPECT_GT(buffers.size(), 1u);
  copies.each([](std::uint32_t copy, const Copies::Found& found) {
    EXPECT_EQ(found.content[0], std::byte{static_cast<unsigned char>(copy)});
  });
}

}  // namespace
}  // namespace rotor
