#include "verify/launches.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <memory>

namespace rotor {
namespace {

constexpr std::size_t kGuard = kViewAlignment;  // at least, on both sides of every buffer
constexpr std::size_t kArenaBytes = 8u << 20;   // launches that share one upload and one download
constexpr unsigned kRuns = 2;
// Poison 0 is NaN as f32 and in both halves as f16; poison 1 has no byte in common with it, so no
// output can look like both.
constexpr std::byte kPoison[kRuns][4] = {
    {std::byte{0xFE}, std::byte{0x7F}, std::byte{0xFD}, std::byte{0x7F}},
    {std::byte{0xA5}, std::byte{0xA6}, std::byte{0xA7}, std::byte{0xA9}}};
// Guards: NaN in every float format, code 3 in packed trits. int8 inputs are guarded by 127.
constexpr std::byte kGuardByte{0xFF};
constexpr std::byte kCodeGuard{0x7F};

std::size_t aligned(std::size_t bytes) {
  return (bytes + kViewAlignment - 1) / kViewAlignment * kViewAlignment;
}

std::string quoted(std::string_view name) {
  return std::string(1, '\'').append(name).append("'");
}

// One launch laid out, every run with buffers of its own: what a run does to its inputs shows.
struct Layout {
  const Launch* launch = nullptr;
  std::vector<Range> places[kRuns];
  std::size_t begin = 0;  // the launch's part of the arena, guards included
  std::size_t end = 0;
};

bool is_written(const BufferSpec& buffer) {
  return buffer.access == Access::Write || buffer.access == Access::ReadWrite;
}

class Arena {
 public:
  Arena(Device& device, const Kernel& kernel) : device_(device), kernel_(kernel) {}

  std::size_t bytes() const { return image_.size(); }
  void add(const Launch& launch);
  // Uploads, launches, downloads, judges; then forgets the launches.
  void run(std::vector<Outcome>& outcomes);

 private:
  std::span<const BufferSpec> specs() const { return contract(kernel_.variant().op).buffers; }
  Range place(const Launch& launch, std::size_t index, unsigned run);
  void dispatch(const Layout& layout, Buffer& buffer) const;
  Outcome judge(const Layout& layout) const;
  void check_untouched(const Layout& layout, Outcome& outcome) const;
  void check_written(const Layout& layout, Outcome& outcome) const;
  void compare(const Layout& layout, Outcome& outcome) const;

  Device& device_;
  const Kernel& kernel_;
  std::vector<Layout> layouts_;
  Bytes image_;  // what was uploaded
  Bytes after_;  // what came back
};

Range Arena::place(const Launch& launch, std::size_t index, unsigned run) {
  const KernelVariant& variant = kernel_.variant();
  const BufferSpec& spec = specs()[index];
  const Range place{image_.size() + kGuard,
                    buffer_bytes(variant.op, index, launch.params, variant.packing)};
  image_.resize(place.offset + aligned(place.bytes) + kGuard,
                spec.element == Element::I8 ? kCodeGuard : kGuardByte);
  // The guard before belongs to the buffer, too.
  std::fill_n(image_.begin() + static_cast<std::ptrdiff_t>(place.offset - kGuard), kGuard,
              spec.element == Element::I8 ? kCodeGuard : kGuardByte);
  const std::span<std::byte> content = std::span(image_).subspan(place.offset, place.bytes);
  if (spec.access == Access::Write) {
    fill_poison(content, run);
  } else {
    assert(launch.buffers[index].size() == place.bytes);
    std::copy(launch.buffers[index].begin(), launch.buffers[index].end(), content.begin());
  }
  return place;
}

void Arena::add(const Launch& launch) {
  Layout layout{.launch = &launch, .begin = image_.size()};
  for (std::size_t i = 0; i < specs().size(); ++i) {
    for (unsigned run = 0; run < kRuns; ++run) layout.places[run].push_back(place(launch, i, run));
  }
  layout.end = image_.size();
  layouts_.push_back(std::move(layout));
}

void Arena::dispatch(const Layout& layout, Buffer& buffer) const {
  for (const std::vector<Range>& places : layout.places) {
    std::vector<View> views;
    for (const Range& p : places) views.emplace_back(buffer, p.offset, p.bytes);
    device_.dispatch(kernel_, views, layout.launch->params);
  }
}

void Arena::run(std::vector<Outcome>& outcomes) {
  if (layouts_.empty()) return;
  const std::unique_ptr<Buffer> buffer = device_.allocate(image_.size());
  device_.write(*buffer, image_);
  for (const Layout& layout : layouts_) dispatch(layout, *buffer);
  device_.finish();
  after_.resize(image_.size());
  device_.read(*buffer, after_);
  for (const Layout& layout : layouts_) outcomes.push_back(judge(layout));
  layouts_.clear();
  image_.clear();
}

void fail(Outcome& outcome, Status status, const char* code, const std::string& message) {
  if (outcome.status != Status::Pass) return;  // the first finding is the one to tell
  outcome.status = status;
  outcome.reason_code = code;
  outcome.message = message;
}

// First byte of [begin, end) that changed, or end.
std::size_t first_change(const Bytes& before, const Bytes& after, std::size_t begin,
                         std::size_t end) {
  const auto at = [](std::size_t i) { return static_cast<std::ptrdiff_t>(i); };
  return static_cast<std::size_t>(
      std::mismatch(before.begin() + at(begin), before.begin() + at(end), after.begin() + at(begin))
          .first -
      before.begin());
}

// Guards between buffers and between rows, and inputs.
void Arena::check_untouched(const Layout& layout, Outcome& outcome) const {
  std::size_t cursor = layout.begin;
  for (std::size_t i = 0; i < specs().size(); ++i) {
    const BufferSpec& spec = specs()[i];
    for (unsigned run = 0; run < kRuns; ++run) {
      const Range& place = layout.places[run][i];
      const std::string name = quoted(spec.name);
      std::size_t changed = first_change(image_, after_, cursor, place.offset);
      if (changed != place.offset) {
        outcome.guards_intact = false;
        fail(outcome, Status::FailGuard, "guard_overwritten",
             "wrote " + std::to_string(place.offset - changed) + " bytes before " + name);
      }
      const std::size_t end = place.offset + place.bytes;
      cursor = end + aligned(place.bytes) - place.bytes + kGuard;
      changed = first_change(image_, after_, end, cursor);
      if (changed != cursor) {
        outcome.guards_intact = false;
        fail(outcome, Status::FailGuard, "guard_overwritten",
             "wrote " + std::to_string(changed - end) + " bytes behind the end of " + name);
      }
      if (is_written(spec)) continue;
      changed = first_change(image_, after_, place.offset, end);
      if (changed != end) {
        outcome.inputs_unchanged = false;
        fail(outcome, Status::FailGuard, "input_changed",
             "changed its input " + name + " at byte " + std::to_string(changed - place.offset));
      }
    }
  }
}

// Continues the digest of every token with its equal share of the buffer.
void add_row_digests(std::span<const std::byte> bytes, std::vector<std::uint64_t>& digests) {
  const std::size_t row_bytes = bytes.size() / digests.size();
  for (std::size_t t = 0; t < digests.size(); ++t) {
    digests[t] = digest(bytes.subspan(t * row_bytes, row_bytes), digests[t]);
  }
}

// Whether bytes outside the parts that had to be written changed.
bool gaps_intact(const Launch& launch, std::span<const std::byte> before,
                 std::span<const std::byte> after) {
  std::size_t cursor = 0;
  for (const Range& range : launch.written) {
    const std::size_t gap = range.offset - cursor;
    if (std::memcmp(before.data() + cursor, after.data() + cursor, gap) != 0) return false;
    cursor = range.offset + range.bytes;
  }
  return launch.written.empty() ||
         std::memcmp(before.data() + cursor, after.data() + cursor, before.size() - cursor) == 0;
}

// Poison, space between rows, and both runs alike.
void Arena::check_written(const Layout& layout, Outcome& outcome) const {
  const Launch& launch = *layout.launch;
  for (std::size_t i = 0; i < specs().size(); ++i) {
    if (!is_written(specs()[i])) continue;
    const std::string name = quoted(specs()[i].name);
    const bool only_written = specs()[i].access == Access::Write;
    std::span<const std::byte> after[kRuns];
    for (unsigned run = 0; run < kRuns; ++run) {
      const Range& place = layout.places[run][i];
      after[run] = std::span(after_).subspan(place.offset, place.bytes);
      const auto before = std::span(image_).subspan(place.offset, place.bytes);
      if (only_written && !gaps_intact(launch, before, after[run])) {
        outcome.guards_intact = false;
        fail(outcome, Status::FailGuard, "guard_overwritten", "wrote between the rows of " + name);
      }
    }
    add_row_digests(after[0], outcome.row_digests);
    std::vector<Range> parts{{0, after[0].size()}};
    if (only_written && !launch.written.empty()) parts = launch.written;
    for (const Range& part : parts) {
      const auto first = after[0].subspan(part.offset, part.bytes);
      const auto second = after[1].subspan(part.offset, part.bytes);
      outcome.output_digest = digest(first, outcome.output_digest);
      if (std::memcmp(first.data(), second.data(), part.bytes) == 0) continue;
      if (only_written && any_poison_left(first, second)) {
        outcome.poison_cleared = false;
        fail(outcome, Status::FailVerify, "poison_left", "left part of " + name + " unwritten");
      } else {
        outcome.repeat_equal = false;
        fail(outcome, Status::FailNondeterministic, "runs_differ",
             "two launches on the same input differ in " + name);
      }
    }
  }
}

void Arena::compare(const Layout& layout, Outcome& outcome) const {
  for (const std::vector<Range>& places : layout.places) {
    std::vector<std::span<const std::byte>> after;
    for (const Range& p : places) after.push_back(std::span(after_).subspan(p.offset, p.bytes));
    outcome.comparison.merge(layout.launch->judge(after));
    if (outcome.repeat_equal && outcome.poison_cleared) return;  // the other run has the same bytes
  }
}

Outcome Arena::judge(const Layout& layout) const {
  Outcome outcome;
  outcome.row_digests.resize(layout.launch->tokens);
  check_untouched(layout, outcome);
  check_written(layout, outcome);
  compare(layout, outcome);
  const Comparison& c = outcome.comparison;
  if (!c.equal()) {
    fail(outcome, Status::FailVerify, "wrong_values", describe_mismatches(c));
  } else if (c.suspects != 0) {
    fail(outcome, Status::SuspectNumeric, "quality_bound", describe_suspects(c));
  }
  if (outcome.status != Status::Pass) {
    outcome.message =
        layout.launch->distribution + " " + layout.launch->shape + ": " + outcome.message;
  }
  return outcome;
}

}  // namespace

std::vector<Outcome> run_launches(Device& device, const Kernel& kernel,
                                  std::span<const Launch> launches) {
  std::vector<Outcome> outcomes;
  Arena arena(device, kernel);
  for (const Launch& launch : launches) {
    arena.add(launch);
    if (arena.bytes() >= kArenaBytes) arena.run(outcomes);
  }
  arena.run(outcomes);
  return outcomes;
}

void fill_poison(std::span<std::byte> bytes, unsigned pattern) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = kPoison[pattern][i % 4];
}

bool any_poison_left(std::span<const std::byte> first, std::span<const std::byte> second) {
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i] == kPoison[0][i % 4] && second[i] == kPoison[1][i % 4]) return true;
  }
  return false;
}

}  // namespace rotor
