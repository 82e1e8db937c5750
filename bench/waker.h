// A GPU that mostly waits while its results are checked lowers its clock, by up to six times, and
// needs more than a second of work to raise it again: longer than the samples of a case take. The
// waker gives it that work before samples are taken.
#pragma once

#include <functional>
#include <memory>

#include "bench/sampling.h"
#include "runtime/device.h"

namespace rotor {

class Waker {
 public:
  // `work` keeps the device busy for some milliseconds and returns how long, in seconds.
  Waker(std::function<double()> work, Clock clock);

  // Returns once the work takes as long as at best, or has taken longer for so long that this is
  // what the device can do now.
  void wake();

 private:
  std::function<double()> work_;
  Clock clock_;
  double best_s_ = 0;  // 0: never measured
};

// For a GPU; null for processors, which are kept busy by checking. Throws DeviceError.
std::unique_ptr<Waker> make_waker(Device& device);

}  // namespace rotor
