// One kernel with buffers of its own, to be launched for its time alone.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "kernels/ops.h"
#include "runtime/device.h"

namespace rotor {

class TimedLaunch {
 public:
  // The buffers are those of the contract for `params`; their contents are zeros. There are `sets` of them,
  // taken in turns: launches that share none may overlap, as those of a case do.
  template <typename Params>
  TimedLaunch(Device& device, const Kernel& kernel, const Params& params, std::uint32_t sets = 1)
      : device_(device), kernel_(kernel), params_(sizeof params), views_(sets) {
    std::memcpy(params_.data(), &params, sizeof params);
    const KernelVariant& variant = kernel.variant();
    for (std::vector<View>& set : views_) {
      for (std::size_t i = 0; i < contract(variant.op).buffers.size(); ++i) {
        const std::size_t bytes = buffer_bytes(variant.op, i, params_, variant.packing);
        buffers_.push_back(device.allocate(bytes));
        device.write(*buffers_.back(), std::vector<std::byte>(bytes));
        set.emplace_back(*buffers_.back());
      }
    }
  }

  // Seconds of one launch among `count`, on the clock that cases are timed with.
  double seconds(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      device_.dispatch(kernel_, views_[i % views_.size()], params_);
    }
    const Timing timing = device_.finish();
    return timing.device_seconds.value_or(timing.host_seconds) / count;
  }

 private:
  Device& device_;
  const Kernel& kernel_;
  std::vector<std::byte> params_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  std::vector<std::vector<View>> views_;  // [sets]
};

}  // namespace rotor
