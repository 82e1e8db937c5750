#include "model/ranked_logits.h"

#include <algorithm>
#include <cmath>

namespace rotor {
namespace {

// NaN first, as the kernels have it; places behind the last logit last.
bool is_before(const RankedLogit& a, const RankedLogit& b) {
  const bool a_nan = std::isnan(a.value);
  const bool b_nan = std::isnan(b.value);
  if (a_nan != b_nan) return a_nan;
  if (!a_nan && a.value != b.value) return a.value > b.value;
  return a.id < b.id;
}

}  // namespace

RankedLogits::RankedLogits(KernelSet& kernels, std::uint32_t vocab)
    : kernels_(kernels), vocab_(vocab) {
  const std::size_t bytes = std::size_t{kParts} * kMost * sizeof(RankedLogit);
  best_ = kernels.device().allocate_for_host(bytes);
  ranked_.reserve(std::size_t{kParts} * kMost);
}

TopKParams RankedLogits::params(std::uint32_t top) const {
  return {.n = vocab_,
          .width = std::max((vocab_ + kParts - 1) / kParts, kSmallestPart),
          .count = top + 1};
}

void RankedLogits::dispatch(View logits, std::uint32_t top) {
  const TopKParams p = params(top);
  const View views[] = {logits, *best_};
  kernels_.device().dispatch(kernels_.get(Op::TopK, Packing::None, 1), views, as_bytes(p));
}

std::span<const RankedLogit> RankedLogits::read(std::uint32_t top) {
  const TopKParams p = params(top);
  ranked_.resize(std::size_t{index_space(Op::TopK, as_bytes(p))} * p.count);
  kernels_.device().read(*best_, std::as_writable_bytes(std::span(ranked_)));
  const auto end = ranked_.begin() + std::min<std::ptrdiff_t>(p.count, std::ssize(ranked_));
  std::partial_sort(ranked_.begin(), end, ranked_.end(), is_before);
  const bool all = top >= vocab_;
  const auto is_place = [this](const RankedLogit& found) { return found.id < vocab_; };
  // A broken driver may leave anything there.
  if (!std::all_of(ranked_.begin(), ranked_.begin() + std::min(top, vocab_), is_place)) return {};
  if (!all && !(ranked_[top - 1].value > ranked_[top].value)) return {};
  return std::span(ranked_).first(std::min(top, vocab_));
}

}  // namespace rotor
