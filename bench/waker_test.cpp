#include "bench/waker.h"

#include <gtest/gtest.h>

namespace rotor {
namespace {

// A device whose clock rises after `sleepy_s` of work, and falls when told to.
struct FakeGpu {
  double now_s = 0;
  double fast_s = 0.003;
  double slow_s = 0.009;
  double sleepy_s = 0;
  int works = 0;

  Waker waker() {
    const auto work = [this] {
      const double took = sleepy_s > 0 ? slow_s : fast_s;
      sleepy_s -= took;
      now_s += took;
      ++works;
      return took;
    };
    return {work, [this] { return now_s; }};
  }
};

TEST(Waker, LooksOnceAtADeviceThatIsAwake) {
  FakeGpu gpu;
  Waker waker = gpu.waker();
  waker.wake();
  gpu.works = 0;
  waker.wake();
  EXPECT_EQ(gpu.works, 1);
}

TEST(Waker, WorksUntilTheClockIsBack) {
  FakeGpu gpu;
  Waker waker = gpu.waker();
  waker.wake();
  gpu.sleepy_s = 1.1;
  waker.wake();
  EXPECT_LE(gpu.sleepy_s, 0);
}

TEST(Waker, AcceptsWhatDoesNotGetFaster) {
  FakeGpu gpu;
  Waker waker = gpu.waker();
  waker.wake();
  gpu.fast_s = 0.006;  // too hot for more
  const double before = gpu.now_s;
  waker.wake();
  EXPECT_GT(gpu.now_s - before, 1.1);
  gpu.works = 0;
  waker.wake();
  EXPECT_EQ(gpu.works, 1);
}

// What is seen first may be a clock that has not risen yet.
TEST(Waker, WorksUntilItIsAwakeTheFirstTime) {
  FakeGpu gpu;
  gpu.sleepy_s = 1.1;
  Waker waker = gpu.waker();
  waker.wake();
  gpu.works = 0;
  waker.wake();
  EXPECT_EQ(gpu.works, 1);
  EXPECT_LE(gpu.sleepy_s, 0);
}

}  // namespace
}  // namespace rotor
