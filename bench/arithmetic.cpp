#include "bench/arithmetic.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/random.h"
#include "core/stats.h"
#include "runtime/choose.h"
#include "verify/reference.h"

namespace rotor {
namespace {

constexpr int kSamples = 9;
constexpr double kSampleSeconds = 4e-3;  // beside which the cost of a launch is nothing
constexpr std::uint32_t kMostRounds = 1u << 20;
// Different seeds: what the reference has to compute.
constexpr std::uint32_t kSeeds = 64;

struct Unit {
  Packing packing;
  const char* kind;
  double ops;  // of a step of one sum and lane; a multiply-add is two
};
// Not matrix units, so rows that use them have no limit: an H100 (driver 580) was told to do 2.57e15 operations a
// second, where its data sheet allows 2.14e15. All columns of the right matrix are equal, and the driver seems to
// multiply by just half of them; matrices that come from memory would tell.
constexpr Unit kUnits[] = {{Packing::None, "int32_mad", 2},
                           {Packing::Int8, "int8_dot", 2 * 4},
                           {Packing::F32, "fp32_fma", 2},
                           {Packing::F16, "fp16_fma", 2 * 2}};

// More than any GPU keeps at a time; a processor that plays GPU has few.
std::uint32_t lanes_for(const DeviceInfo& info) {
  return info.kind == "software" ? 1u << 12 : 1u << 20;
}

class Calculation {
 public:
  Calculation(Device& device, const KernelVariant& row)
      : device_(device),
        kernel_(device.prepare(row)),
        lanes_(lanes_for(device.info())),
        seeds_(device.allocate(lanes_ * sizeof(std::uint32_t))),
        results_(device.allocate(lanes_ * sizeof(std::uint32_t))) {
    Random random(1);
    for (std::uint32_t& seed : different_) seed = static_cast<std::uint32_t>(random.bits());
    std::vector<std::uint32_t> seeds(lanes_);
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) seeds[lane] = different_[lane % kSeeds];
    device.write(*seeds_, std::as_bytes(std::span(seeds)));
    device.write(*results_, std::vector<std::byte>(results_->bytes()));
  }

  double seconds(std::uint32_t rounds) {
    const CalculateParams params{lanes_, rounds};
    const View views[] = {*seeds_, *results_};
    device_.dispatch(*kernel_, views, as_bytes(params));
    const Timing timing = device_.finish();
    return timing.device_seconds.value_or(timing.host_seconds);
  }

  // Of the last launch.
  bool is_right(std::uint32_t rounds) {
    const Packing unit = kernel_->variant().packing;
    std::array<std::uint32_t, kSeeds> want{};
    for (std::uint32_t i = 0; i < kSeeds; ++i) {
      want[i] = reference::calculate(unit, different_[calculate_seed_of(unit, i)], rounds);
    }
    std::vector<std::uint32_t> got(lanes_);
    device_.read(*results_, std::as_writable_bytes(std::span(got)));
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) {
      if (got[lane] != want[lane % kSeeds]) return false;
    }
    return true;
  }

  double steps(std::uint32_t rounds) const {
    return double(ROTOR_SUMS) * ROTOR_STEPS * lanes_ * rounds;
  }

 private:
  Device& device_;
  std::unique_ptr<Kernel> kernel_;
  std::uint32_t lanes_;
  std::unique_ptr<Buffer> seeds_;
  std::unique_ptr<Buffer> results_;
  std::array<std::uint32_t, kSeeds> different_{};
};

Roof measure_unit(Device& device, const KernelVariant& row, const Unit& unit,
                  const std::string& at) {
  Calculation calculation(device, row);
  calculation.seconds(1);
  std::uint32_t rounds = 1;
  for (double took = calculation.seconds(1); took < kSampleSeconds && rounds < kMostRounds;
       took = calculation.seconds(rounds)) {
    rounds *= took < kSampleSeconds / 8 ? 8 : 2;
  }
  Roof roof{device.info().id, unit.kind, {}, at, 0, "ops/s", {}, {}};
  for (int i = 0; i < kSamples; ++i) {
    roof.samples.push_back(unit.ops * calculation.steps(rounds) / calculation.seconds(rounds));
  }
  if (!calculation.is_right(rounds)) {
    throw DeviceError(std::string(row.name) + " calculates wrongly: no rate of it is known");
  }
  roof.median = median(roof.samples);
  return roof;
}

}  // namespace

std::vector<Roof> measure_arithmetic(Device& device, const std::string& at) {
  std::vector<Roof> roofs;
  for (const KernelVariant& row : variants()) {
    if (row.op != Op::Calculate || !supports(device.info(), row, 1)) continue;
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const Unit& u) { return u.packing == row.packing; });
    if (unit != std::end(kUnits)) roofs.push_back(measure_unit(device, row, *unit, at));
  }
  return roofs;
}

}  // namespace rotor
