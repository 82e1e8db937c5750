#include "runtime/meeting.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "core/error.h"
#include "kernels/layout.h"

namespace rotor {
namespace {

constexpr std::uint32_t kMostGroups = 1024;  // nothing known has as many multiprocessors
constexpr unsigned kRepeats = 2;             // luck is no promise

// Parameters of a run without layers.
constexpr LayersParams kNoLayers{.layers = 0,
                                 .hidden = 64,
                                 .ffn = 64,
                                 .heads = 1,
                                 .kv_heads = 1,
                                 .head_dim = 64,
                                 .capacity = 1,
                                 .epsilon = 1};
constexpr ProductsParams kNoProducts{
    .layers = 0, .hidden = 64, .q_rows = 64, .qkv_rows = 64, .ffn = 64};

std::span<const std::byte> trial_params(Op op) {
  return op == Op::Layers ? as_bytes(kNoLayers) : as_bytes(kNoProducts);
}

// A run without layers, and its buffers.
class Trial {
 public:
  Trial(Device& device, const Kernel& kernel)
      : device_(device), kernel_(kernel), params_(trial_params(kernel.variant().op)) {
    const Op op = kernel.variant().op;
    const auto specs = contract(op).buffers;
    for (std::size_t i = 0; i < specs.size(); ++i) {
      const std::size_t bytes = buffer_bytes(op, i, params_, kernel.variant().packing);
      buffers_.push_back(device.allocate(std::max<std::size_t>(bytes, kViewAlignment)));
      const bool is_output = i + 1 == specs.size();  // a run that does nothing must not pass
      const std::vector<std::byte> fill(buffers_.back()->bytes(), std::byte(is_output ? 0xFF : 0));
      device.write(*buffers_.back(), fill);
      if (specs[i].name == "work") work_ = buffers_.back().get();
    }
  }

  // Whether all work-groups met: the words for meetings are zero again, and were never given up.
  bool run() {
    std::vector<View> views;
    for (const auto& buffer : buffers_) views.emplace_back(*buffer);
    device_.dispatch(kernel_, views, params_);
    device_.finish();
    std::vector<std::uint32_t> words(kMeetingWords);
    device_.read(*work_, std::as_writable_bytes(std::span(words)));
    std::uint32_t out = 0;
    device_.read(*buffers_.back(), std::as_writable_bytes(std::span(&out, 1)));
    // Of Layers a float, which may be -0.
    const bool is_float = contract(kernel_.variant().op).buffers.back().element == Element::F32;
    const bool is_zero = is_float ? std::bit_cast<float>(out) == 0 : out == 0;
    const bool met = is_zero && std::all_of(words.begin(), words.end(),
                                            [](std::uint32_t word) { return word == 0; });
    // All of it: work-groups that did not meet may have left mail.
    device_.write(*work_, std::vector<std::byte>(work_->bytes()));
    return met;
  }

 private:
  static constexpr std::size_t kMeetingWords = kMeetUnits * kLayoutUnit / sizeof(std::uint32_t);

  Device& device_;
  const Kernel& kernel_;
  std::span<const std::byte> params_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
  Buffer* work_ = nullptr;
};

}  // namespace

std::uint32_t find_meeting_groups(Device& device, const Kernel& kernel,
                                  std::uint32_t multiprocessors,
                                  const std::function<void(std::uint32_t)>& use) {
  Trial trial(device, kernel);
  const auto meet = [&](std::uint32_t groups) {
    use(groups);
    for (unsigned i = 0; i < kRepeats; ++i) {
      if (!trial.run()) return false;
    }
    return true;
  };
  // Where threads of the host play work-groups, the host's other work may part those that met.
  const bool is_software = device.info().kind == "software";
  const std::uint32_t at_most = is_software            ? 1
                                : multiprocessors != 0 ? multiprocessors
                                                       : kMostGroups;
  std::uint32_t most = 0;
  std::uint32_t too_many = 1;
  while (too_many <= at_most && meet(too_many)) {
    most = too_many;
    too_many *= 2;
  }
  if (most == 0) {
    throw UnsupportedError("no_meeting",
                           std::string(kernel.variant().name) +
                               ": work-groups of this device cannot wait for each other");
  }
  too_many = std::min(too_many, at_most + 1);
  while (too_many - most > 1) {
    const std::uint32_t middle = (most + too_many) / 2;
    (meet(middle) ? most : too_many) = middle;
  }
  return most;
}

}  // namespace rotor
