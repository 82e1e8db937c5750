#include "bench/tune.h"

#include <algorithm>
#include <cmath>

#include "bench/cases.h"
#include "core/error.h"
#include "core/stats.h"
#include "reports/report.h"
#include "runtime/choose.h"

namespace rotor {
namespace {

// Rounds of two candidates in turns: the fewest that give an interval of 98 %.
constexpr int kRounds = 7;
constexpr double kConfidence = 0.98;
constexpr double kLeastGain = 0.02;

// Seconds of samples: to rank candidates, and of each in a round.
constexpr double kRankSeconds = 0.06;
constexpr double kRoundSeconds = 0.03;

// Launches that checking and ranking a candidate takes, about.
constexpr int kRankLaunches = 16;
constexpr int kConfirmLaunches = 2 * kRounds * 4;

// Other tiles are tried where a row takes less than this, in units of the fastest row.
constexpr double kNear = 1.5;

SamplingRules rules_for(double seconds) {
  SamplingRules rules;
  rules.time_s = seconds;
  rules.target = 0.02;
  return rules;
}

template <typename Timed>
const Timed& fastest_of(const std::vector<Timed>& timed) {
  return *std::min_element(timed.begin(), timed.end(),
                           [](const Timed& a, const Timed& b) { return a.seconds < b.seconds; });
}

std::string packing_text(Packing packing) {
  return "packing " + std::string(packing_name(packing));
}

}  // namespace

std::vector<Shape> tuned_shapes(const Config& config) {
  std::vector<Shape> shapes;
  for (const Shape& shape :
       {Shape{config.q_rows() + 2 * config.kv_rows(), config.hidden},
        Shape{config.hidden, config.q_rows()}, Shape{2 * config.ffn, config.hidden},
        Shape{config.hidden, config.ffn}}) {
    const bool known = std::any_of(shapes.begin(), shapes.end(), [&](const Shape& s) {
      return s.n == shape.n && s.k == shape.k;
    });
    if (!known) shapes.push_back(shape);
  }
  return shapes;
}

bool is_worth_a_change(std::span<const double> usual, std::span<const double> challenger) {
  std::vector<double> gains;
  for (std::size_t i = 0; i < std::min(usual.size(), challenger.size()); ++i) {
    gains.push_back(std::log(usual[i] / challenger[i]));
  }
  return !gains.empty() && signed_rank_shift(gains, kConfidence).low > std::log1p(kLeastGain);
}

std::optional<double> TunedPacking::cost() const {
  if (classes.size() != std::size(kUses)) return std::nullopt;
  double sum = 0;
  for (std::size_t i = 0; i < classes.size(); ++i) sum += kUses[i] * classes[i].chosen_s;
  return sum;
}

std::vector<TunedProduct> TunedMatrix::products() const {
  std::vector<TunedProduct> products;
  for (const TunedClass& c : best.classes) {
    products.push_back(
        {shape.n, shape.k, c.m, std::string(c.chosen.name), c.chosen.tile, c.chosen_s, c.usual_s});
  }
  return products;
}

std::string candidate_name(const KernelVariant& variant) {
  std::string name(variant.name.substr(variant.name.find('/') + 1));
  if (variant.tile == find_variant(variant.name)->tile) return name;
  return name + " as " + tile_text(variant.tile);
}

Tuner::Tuner(Device& device, std::uint64_t seed, TuneStep step)
    : device_(device),
      seed_(seed),
      step_(std::move(step)),
      waker_(make_waker(device)),
      first_(device, references_,
             {.settle =
                  [this] {
                    if (waker_) waker_->wake();
                  }}),
      second_(device, references_, {.settle = [this] {
                if (waker_) waker_->wake();
              }}) {}

void Tuner::leave_out(const std::string& what) {
  std::vector<std::string>& list = matrix_->left_out;
  if (std::find(list.begin(), list.end(), what) == list.end()) list.push_back(what);
}

void Tuner::leave_out_from(std::size_t batch_class) {
  for (std::size_t i = batch_class; i < std::size(kBatchClasses); ++i) {
    leave_out("batch " + std::to_string(kBatchClasses[i].measured));
  }
}

// Whether so many launches can be made in the time that is left, as far as is known.
bool Tuner::fits(const KernelVariant& variant, std::uint32_t m, int launches) {
  const double left = deadline_s_ - steady_seconds();
  const auto known = rates_.find(std::string(variant.name));
  double rate = known == rates_.end() ? 0 : known->second;
  if (rate == 0) {  // as fast as the fastest so far
    for (const auto& [name, other] : rates_) rate = std::max(rate, other);
  }
  const double macs = double(shape_.n) * shape_.k * m;
  return left > 0 && (rate == 0 || launches * macs / rate < left);
}

// A tile that the device has no room for is none of its failures.
void Tuner::note_failure(const std::string& what, const Verdict& verdict) {
  if (verdict.passed() || verdict.status == Status::Unsupported) return;
  failures_.push_back({what, verdict});
}

// Through the battery of small odd shapes, once.
bool Tuner::trusted(const KernelVariant& variant) {
  const std::string name = candidate_name(variant);
  const auto known = checked_.find(name);
  if (known != checked_.end()) return known->second;
  const RowCheck row = first_.check_row(variant, seed_, "");
  note_failure(name + " on small shapes", row.verdict);
  return checked_[name] = row.verdict.passed();
}

// Checks and times; nothing where the check fails.
std::optional<Measurement> Tuner::time(Visitor& visitor, const KernelVariant& variant,
                                       std::uint32_t m, double seconds) {
  CaseResult planned;
  planned.spec.id = case_id(variant, shape_, m, false) + " " + tile_text(variant.tile);
  planned.spec.op = contract(variant.op).name;
  planned.spec.backend = backend_name(variant.backend);
  planned.spec.variant = variant.name;
  planned.spec.m = m;
  planned.spec.n = shape_.n;
  planned.spec.k = shape_.k;
  planned.spec.seed = seed_;
  planned.device = device_.info().id;
  const SamplingRules rules = rules_for(seconds);
  CaseResult result = visitor.visit(variant, planned, &rules, steady_seconds);
  if (result.verdict.status == Status::DeviceLost) {
    throw DeviceError(planned.spec.id + ": " + result.verdict.message, DeviceFault::Lost);
  }
  if (!result.verdict.passed()) {
    checked_[candidate_name(variant)] = false;  // not tried on other shapes
    note_failure(planned.spec.id, result.verdict);
    return std::nullopt;
  }
  rates_[std::string(variant.name)] =
      static_cast<double>(result.measurement->macs) / median(result.measurement->samples_s);
  return result.measurement;
}

// Rounds in turns. The times that are kept are of these rounds.
void Tuner::confirm(TunedClass& found, const Timed& challenger) {
  std::vector<double> usual;
  std::vector<double> other;
  for (int round = 0; round < kRounds; ++round) {
    const auto a = time(first_, found.usual, found.m, kRoundSeconds);
    const auto b = time(second_, challenger.variant, found.m, kRoundSeconds);
    if (!a || !b) return;
    usual.push_back(median(a->samples_s));
    other.push_back(median(b->samples_s));
  }
  found.usual_s = found.chosen_s = median(usual);
  if (!is_worth_a_change(usual, other)) return;
  found.chosen = challenger.variant;
  found.chosen_s = median(other);
}

// Checks a candidate and times it. False where there is no time for it, or no going on.
bool Tuner::try_out(const KernelVariant& candidate, std::uint32_t m, std::vector<Timed>& timed) {
  const std::string what = "batch " + std::to_string(m) + ", " + candidate_name(candidate);
  if (stopped_ || (stopped_ = !step_(what))) return false;
  if (!fits(candidate, m, kRankLaunches)) {
    if (!timed.empty()) leave_out(what);
    return false;
  }
  if (!trusted(candidate)) return true;
  const auto measured = time(first_, candidate, m, kRankSeconds);
  if (measured) timed.push_back({candidate, median(measured->samples_s)});
  return true;
}

// Other tiles than their own, of those rows that came near the fastest: all for single tokens and of rows
// that serve batches only, and of others for batches the one that was best for single tokens.
std::vector<KernelVariant> Tuner::other_tiles(const std::vector<Timed>& timed, std::uint32_t m) {
  std::vector<KernelVariant> others;
  const double best = fastest_of(timed).seconds;
  for (const Timed& row : timed) {
    if (row.seconds > kNear * best) continue;
    for (const Tile& tile : tiles_of(row.variant)) {
      const auto known = best_tiles_.find(row.variant.name);
      const bool wanted = m == 1 || row.variant.batch == Batch::Many ||
                          (known != best_tiles_.end() && known->second == tile);
      if (!wanted || tile == row.variant.tile) continue;
      others.push_back(row.variant);
      others.back().tile = tile;
    }
  }
  return others;
}

void Tuner::remember_tiles(const std::vector<Timed>& timed) {
  std::map<std::string_view, double> best;
  for (const Timed& t : timed) {
    const auto [known, fresh] = best.try_emplace(t.variant.name, t.seconds);
    if (!fresh && t.seconds >= known->second) continue;
    known->second = t.seconds;
    best_tiles_[t.variant.name] = t.variant.tile;
  }
}

// The rows for a batch of the shape at hand, those first that are taken without a record.
std::vector<const KernelVariant*> Tuner::rows_for(Packing packing, std::uint32_t m) const {
  std::vector<const KernelVariant*> rows;
  for (const KernelVariant& row : variants()) {
    const bool fits = row.op == Op::Matmul && row.packing == packing;
    if (fits && supports(device_.info(), row, m)) rows.push_back(&row);
  }
  std::stable_partition(rows.begin(), rows.end(),
                        [&](const KernelVariant* row) { return suits(*row, m, shape_.n); });
  return rows;
}

// The usual row is the first that passes: without one there is nothing to be better than.
std::optional<TunedClass> Tuner::tune_class(Packing packing, std::uint32_t m) {
  std::vector<Timed> timed;
  for (const KernelVariant* row : rows_for(packing, m)) {
    if (!try_out(*row, m, timed) && timed.empty()) return std::nullopt;
  }
  if (timed.empty()) return std::nullopt;
  const Timed usual = timed.front();
  for (const KernelVariant& other : other_tiles(timed, m)) try_out(other, m, timed);
  if (m == 1) remember_tiles(timed);
  TunedClass found{m,
                   usual.variant,
                   usual.seconds,
                   usual.variant,
                   usual.seconds,
                   static_cast<std::uint32_t>(timed.size())};
  const Timed& fastest = fastest_of(timed);
  const bool is_usual =
      fastest.variant.name == usual.variant.name && fastest.variant.tile == usual.variant.tile;
  if (is_usual || usual.seconds < (1 + kLeastGain) * fastest.seconds) return found;
  if (fits(usual.variant, m, kConfirmLaunches)) {
    confirm(found, fastest);
  } else {
    leave_out("batch " + std::to_string(m) + ", holding " + candidate_name(fastest.variant) +
              " against the usual row");
  }
  return found;
}

// Ends early where this packing costs more than `bound` already.
TunedPacking Tuner::tune_packing(Packing packing, std::optional<double> bound) {
  TunedPacking tuned{packing, {}};
  double cost = 0;
  for (std::size_t i = 0; i < std::size(kBatchClasses); ++i) {
    if (bound && cost > *bound) break;
    const auto found = tune_class(packing, kBatchClasses[i].measured);
    if (!found) {  // larger batches take longer
      if (!bound) leave_out_from(i);
      break;
    }
    tuned.classes.push_back(*found);
    cost += kUses[i] * found->chosen_s;
  }
  return tuned;
}

TunedMatrix Tuner::tune(const Shape& shape, double seconds) {
  TunedMatrix matrix{shape, {}, {}};
  matrix_ = &matrix;
  shape_ = shape;
  best_tiles_.clear();
  deadline_s_ = steady_seconds() + seconds;
  const Packing usual = KernelSet(device_).weight_packing();
  matrix.best = tune_packing(usual, std::nullopt);
  std::vector<Packing> others;
  for (const KernelVariant& row : variants()) {
    const bool known = row.packing == usual ||
                       std::find(others.begin(), others.end(), row.packing) != others.end();
    if (row.op == Op::Matmul && !known && supports(device_.info(), row, 1)) {
      others.push_back(row.packing);
    }
  }
  for (const Packing packing : others) {
    const std::optional<double> bound = matrix.best.cost();
    if (!bound || stopped_) {
      leave_out(packing_text(packing));
      continue;
    }
    TunedPacking other = tune_packing(packing, bound);
    const std::optional<double> cost = other.cost();
    if (!cost || *cost * (1 + kLeastGain) >= *bound) continue;
    for (std::size_t i = 0; i < other.classes.size(); ++i) {
      other.classes[i].usual = matrix.best.classes[i].usual;
      other.classes[i].usual_s = matrix.best.classes[i].usual_s;
    }
    matrix.best = other;
  }
  matrix_ = nullptr;
  return matrix;
}

}  // namespace rotor
