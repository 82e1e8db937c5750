#include "runtime/meeting.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.h"
#include "kernels/layers_layout.h"

namespace rotor {
namespace {

constexpr std::uint32_t kMostGroups = 1024;  // nothing known has as many multiprocessors
constexpr unsigned kRepeats = 2;             // luck is no promise

// The buffers of a run without layers.
class Trial {
 public:
  Trial(Device& device, const Kernel& kernel) : device_(device), kernel_(kernel) {
    const Op op = kernel.variant().op;
    for (std::size_t i = 0; i < contract(op).buffers.size(); ++i) {
      const std::size_t bytes = buffer_bytes(op, i, as_bytes(kParams), kernel.variant().packing);
      buffers_.push_back(device.allocate(std::max<std::size_t>(bytes, kViewAlignment)));
      const bool is_output = i == kNormed;  // NaN there: a run that does nothing must not pass
      const std::vector<std::byte> fill(buffers_.back()->bytes(), std::byte(is_output ? 0xFF : 0));
      device.write(*buffers_.back(), fill);
    }
  }

  // Whether all work-groups met: the words for meetings are zero again, and were never given up.
  bool run() {
    std::vector<View> views;
    for (const auto& buffer : buffers_) views.emplace_back(*buffer);
    device_.dispatch(kernel_, views, as_bytes(kParams));
    device_.finish();
    std::vector<std::uint32_t> words(kMeetingWords);
    Buffer& work = *buffers_[kWork];
    device_.read(work, std::as_writable_bytes(std::span(words)));
    float normed = 0;
    device_.read(*buffers_[kNormed], std::as_writable_bytes(std::span(&normed, 1)));
    const bool met = normed == 0 && std::all_of(words.begin(), words.end(),
                                                [](std::uint32_t word) { return word == 0; });
    std::fill(words.begin(), words.end(), 0u);
    device_.write(work, std::as_bytes(std::span(words)));
    return met;
  }

 private:
  static constexpr LayersParams kParams{.layers = 0,
                                        .hidden = 64,
                                        .ffn = 64,
                                        .heads = 1,
                                        .kv_heads = 1,
                                        .head_dim = 64,
                                        .capacity = 1,
                                        .epsilon = 1};
  static constexpr std::size_t kWork = 5;
  static constexpr std::size_t kNormed = 6;
  static constexpr std::size_t kMeetingWords = kMeetUnits * kLayoutUnit / sizeof(std::uint32_t);

  Device& device_;
  const Kernel& kernel_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace

std::uint32_t find_meeting_groups(Device& device, const Kernel& kernel,
                                  const std::function<void(std::uint32_t)>& use) {
  Trial trial(device, kernel);
  const auto meet = [&](std::uint32_t groups) {
    use(groups);
    for (unsigned i = 0; i < kRepeats; ++i) {
      if (!trial.run()) return false;
    }
    return true;
  };
  std::uint32_t most = 0;
  std::uint32_t too_many = 1;
  while (too_many <= kMostGroups && meet(too_many)) {
    most = too_many;
    too_many *= 2;
  }
  if (most == 0) {
    throw UnsupportedError("no_meeting",
                           std::string(kernel.variant().name) +
                               ": work-groups of this device cannot wait for each other");
  }
  while (too_many - most > 1 && most < kMostGroups) {
    const std::uint32_t middle = (most + too_many) / 2;
    (meet(middle) ? most : too_many) = middle;
  }
  return most;
}

}  // namespace rotor
