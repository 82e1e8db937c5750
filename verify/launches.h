// Runs kernels on prepared data and looks at everything they left behind: outputs, guards, inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/device.h"
#include "verify/compare.h"

namespace rotor {

using Bytes = std::vector<std::byte>;

// Copies plain data into bytes.
template <typename T>
Bytes to_bytes(std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {bytes.begin(), bytes.end()};
}
template <typename T>
Bytes to_bytes(const std::vector<T>& values) {
  return to_bytes(std::span<const T>(values));
}
template <typename T>
std::span<const T> view_as(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

// A part of a buffer, in bytes.
struct Range {
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

// Token `row` of launch number `launch`: it must get the same bits alone.
struct RowOf {
  std::size_t launch = 0;
  std::uint32_t row = 0;
};

// The buffers of an op after a launch, in the order of the contract.
using After = std::span<const std::span<const std::byte>>;

// One launch to check: what the kernel reads and how to judge what it writes.
struct Launch {
  std::string distribution;
  std::string shape;  // "m=7 n=200 k=1100": for people
  std::uint64_t seed = 0;
  std::uint64_t digest = 0;  // of the logical inputs, the same for every packing and device
  Bytes params;
  std::vector<Bytes> buffers;  // contents in the order of the contract; empty where only written
  // The parts of a buffer that is only written that must be written, in order; what lies between them
  // must stay. Empty: all of it.
  std::vector<Range> written;
  std::uint32_t tokens = 1;     // rows of its outputs, for digests
  std::optional<RowOf> row_of;  // where the same token was part of a batch
  // Compares the buffers after the launch with the reference.
  std::function<Comparison(After after)> judge;
};

// What a launch left behind. `status` is Pass, SuspectNumeric, FailVerify, FailNondeterministic or
// FailGuard.
struct Outcome {
  Status status = Status::Pass;
  std::string reason_code;
  std::string message;
  Comparison comparison;
  bool poison_cleared = true;
  bool guards_intact = true;
  bool inputs_unchanged = true;
  bool repeat_equal = true;
  std::uint64_t output_digest = 0;
  std::vector<std::uint64_t>
      row_digests;  // per token, meaningful where outputs are one row a token
};

// Runs every launch twice, with different poison in the outputs, in memory of which every byte that
// a kernel has no business with is checked afterwards. Outcomes in the order of the launches.
std::vector<Outcome> run_launches(Device& device, const Kernel& kernel,
                                  std::span<const Launch> launches);

// Poison of outputs: pattern 0 is NaN as f32 and as f16, pattern 1 differs from it in every byte.
void fill_poison(std::span<std::byte> bytes, unsigned pattern);
// Whether a byte still holds pattern 0 after the first launch and pattern 1 after the second: nobody
// wrote it. The spans begin where fill_poison began, or a multiple of 4 bytes later.
bool any_poison_left(std::span<const std::byte> first, std::span<const std::byte> second);

}  // namespace rotor
