// The largest logits of a token, found on the device: a few hundred bytes come back, not all logits.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/choose.h"

namespace rotor {

class RankedLogits {
 public:
  // For logits of `vocab` tokens. Throws UnsupportedError, DeviceError.
  RankedLogits(KernelSet& kernels, std::uint32_t vocab);

  // More are sent back as they are: sorting them costs more than that.
  bool serves(std::uint32_t top) const { return top > 0 && top < kMost; }
  // Dispatches the search for the `top` largest of `logits` [vocab].
  void dispatch(View logits, std::uint32_t top);
  // What the last search found: the `top` largest, best first; NaN counts as larger than all. Valid until
  // the next call. Empty if others may be equal to the last of them, or the search went wrong.
  std::span<const RankedLogit> read(std::uint32_t top);

  std::size_t bytes() const { return best_->bytes(); }

 private:
  static constexpr std::uint32_t kMost = 64;
  static constexpr std::uint32_t kParts = 64;          // work-groups that search at the same time
  static constexpr std::uint32_t kSmallestPart = 256;  // logits

  TopKParams params(std::uint32_t top) const;

  KernelSet& kernels_;
  std::uint32_t vocab_;
  std::unique_ptr<Buffer> best_;     // [parts, top + 1]: one more than is asked for shows a tie
  std::vector<RankedLogit> ranked_;  // the same on the host
};

}  // namespace rotor
