// What only the host does as a device; how kernels run on it is tested with the kernels.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "runtime/devices.h"

namespace rotor {
namespace {

using Bytes = std::vector<std::byte>;

Bytes read_all(Device& device, Buffer& buffer) {
  Bytes bytes(buffer.bytes());
  device.read(buffer, bytes);
  return bytes;
}

TEST(CpuDevice, SharedBytesLiveAsLongAsTheBuffer) {
  const auto device = open_cpu({});
  auto owner = std::make_shared<const Bytes>(1000, std::byte{7});
  const std::weak_ptr<const Bytes> alive = owner;
  auto buffer = device->share(*owner, owner);
  owner.reset();
  ASSERT_FALSE(alive.expired());
  EXPECT_EQ(read_all(*device, *buffer), Bytes(1000, std::byte{7}));
  buffer.reset();
  EXPECT_TRUE(alive.expired());
}

TEST(CpuDevice, SharedBytesWithoutAnOwnerAreNotReleased) {
  const auto device = open_cpu({});
  Bytes bytes(1000, std::byte{7});
  {
    const auto buffer = device->share(bytes, nullptr);
    bytes[3] = std::byte{9};
    EXPECT_EQ(read_all(*device, *buffer), bytes) << "a copy was made";
  }
  EXPECT_EQ(bytes[0], std::byte{7});
}

}  // namespace
}  // namespace rotor
