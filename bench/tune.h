// The tuner: for each product of a model and each batch class (runtime/tuning.h) it checks every row of
// the registry that a device can run, times what passed, and finds the one to use.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/visit.h"
#include "bench/waker.h"
#include "model/weights.h"
#include "runtime/tuning.h"

namespace rotor {

// The matrices that a model is multiplied with, as they are loaded: q, k and v are one, so are gate and
// up.
std::vector<Shape> tuned_shapes(const Config& config);

// How often a product is used in a batch of each class: an answer of 128 tokens to prompts of 128, 32 and
// 5. The packing of a matrix is one for all batches, so it is chosen by the sum.
inline constexpr double kUses[std::size(kBatchClasses)] = {128, 1, 1, 1};

// Whether `challenger` is to be used in place of what is used without a record: paired samples in
// seconds, of rounds in turns. Only if it is faster beyond noise: the whole 98 % interval of the ratio
// is beyond 2 %.
bool is_worth_a_change(std::span<const double> usual, std::span<const double> challenger);

// What came of a batch class of one product.
struct TunedClass {
  std::uint32_t m = 0;
  KernelVariant usual;  // without a record
  double usual_s = 0;
  KernelVariant chosen;
  double chosen_s = 0;
  std::uint32_t tried = 0;  // candidates that were timed
};

// Of one packing.
struct TunedPacking {
  Packing packing = Packing::None;
  std::vector<TunedClass> classes;  // those for which there was time, in order
  // Seconds of kUses; nothing unless all classes were timed.
  std::optional<double> cost() const;
};

struct TunedMatrix {
  Shape shape;
  TunedPacking best;
  std::vector<std::string> left_out;  // what there was no time for
  std::vector<TunedProduct> products() const;
};

// A candidate that failed.
struct TuneFailure {
  std::string what;
  Verdict verdict;
};

// Told what is going on; false ends the tuning early.
using TuneStep = std::function<bool(const std::string& what)>;

class Tuner {
 public:
  Tuner(Device& device, std::uint64_t seed, TuneStep step);

  // Takes about `seconds`; what does not fit is left out. Single tokens come first, then larger
  // batches; the usual packing before others. Throws DeviceError if the device is lost, and
  // UnsupportedError if it has no product.
  TunedMatrix tune(const Shape& shape, double seconds);

  const std::vector<TuneFailure>& failures() const { return failures_; }

 private:
  // Candidates of a batch class that passed, with their times.
  struct Timed {
    KernelVariant variant;
    double seconds;
  };
  void note_failure(const std::string& what, const Verdict& verdict);
  bool trusted(const KernelVariant& variant);
  std::optional<Measurement> time(Visitor& visitor, const KernelVariant& variant, std::uint32_t m,
                                  double seconds);
  bool try_out(const KernelVariant& candidate, std::uint32_t m, std::vector<Timed>& timed);
  std::vector<KernelVariant> other_tiles(const std::vector<Timed>& timed, std::uint32_t m);
  std::vector<const KernelVariant*> rows_for(Packing packing, std::uint32_t m) const;
  void remember_tiles(const std::vector<Timed>& timed);
  std::optional<TunedClass> tune_class(Packing packing, std::uint32_t m);
  void confirm(TunedClass& found, const Timed& challenger);
  TunedPacking tune_packing(Packing packing, std::optional<double> bound);
  bool fits(const KernelVariant& variant, std::uint32_t m, int launches);
  void leave_out(const std::string& what);
  void leave_out_from(std::size_t batch_class);

  Device& device_;
  std::uint64_t seed_;
  TuneStep step_;
  std::unique_ptr<Waker> waker_;
  ReferenceCache references_;
  Visitor first_;
  Visitor second_;  // what is held against it
  std::map<std::string, bool>
      checked_;  // candidates, by name and tile, that went through the battery
  std::map<std::string, double> rates_;  // their multiply-adds per second, as last seen
  std::vector<TuneFailure> failures_;
  std::map<std::string_view, Tile> best_tiles_;  // for single tokens, by name of the row
  Shape shape_{};
  double deadline_s_ = 0;
  TunedMatrix* matrix_ = nullptr;  // at hand
  bool stopped_ = false;
};

// "matmul_bitpacked_dot", and the tile where it is not the variant's own.
std::string candidate_name(const KernelVariant& variant);

}  // namespace rotor
