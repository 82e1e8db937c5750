#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/layers_layout.h"
#include "kernels/products_layout.h"
#include "verify/cases.h"
#include "verify/copies.h"
#include "verify/verdicts.h"
#include "verify/verify.h"

namespace rotor {

bool is_products(const Case& spec) {
  return spec.op == contract(Op::Products).name;
}

std::uint64_t layers_weight_bytes(const Case& spec) {
  return std::uint64_t{kLayoutUnit} * (is_products(spec)
                                           ? products_weights_units(products_params(spec))
                                           : weights_units(layers_params(spec)));
}

std::shared_ptr<const Bytes> ReferenceCache::layers_weights(const Case& spec) {
  const auto same_weights = [](LayersShape a, LayersShape b) {
    a.position = b.position = 0;
    return a == b;
  };
  const bool known = layers_weights_ && is_products(layers_of_) == is_products(spec) &&
                     layers_of_.k == spec.k && layers_of_.seed == spec.seed &&
                     same_weights(*layers_of_.layers, *spec.layers);
  if (!known) {
    layers_weights_.reset();
    layers_weights_ = std::make_shared<const Bytes>(is_products(spec) ? timed_products_weights(spec)
                                                                      : timed_layers_weights(spec));
    layers_of_ = spec;
  }
  return layers_weights_;
}

namespace {

// What a run left in the buffers that it writes, in the order of the contract.
struct Outputs {
  std::vector<Bytes> bytes;  // with guards
  std::vector<std::span<const std::byte>> contents;
};

// All layers of a token, or their products alone. Each launch computes the same again, in one work and cache:
// it reads no row of the cache that it writes.
class LayersTrial final : public Trial {
 public:
  LayersTrial(Device& device, const KernelVariant& variant, const Case& spec,
              std::uint32_t rotate_buffers, ReferenceCache& references)
      : device_(device),
        spec_(spec),
        op_(variant.op),
        kernel_(device.prepare(variant)),  // before what takes long: it may not run here
        launch_(op_ == Op::Products ? timed_products(spec) : timed_layers(variant, spec)),
        packed_(references.layers_weights(spec)),
        weights_(device, packed_->size(), rotate_buffers) {
    assert(rotate_buffers > 0);
    for (std::size_t i = 1; i < specs().size(); ++i) {
      others_.emplace_back(device, buffer_bytes(op_, i, launch_.params, variant.packing), 1);
      fill(i, 0);
    }
    for (std::uint32_t copy = 0; copy < rotate_buffers; ++copy) weights_.fill(copy, *packed_);
  }

  Verdict check() override;
  void dispatch(std::uint64_t i) override;
  void poison_outputs() override { poison(0); }
  void check_timed(Verdict& verdict) override;

  std::uint64_t macs() const override;       // of products and attention
  std::uint64_t min_bytes() const override;  // weights, gains, scales; rows of the cache, the token
  std::uint64_t weight_bytes() const override { return weights_.bytes(); }

 private:
  std::span<const BufferSpec> specs() const { return contract(op_).buffers; }
  bool is_output(std::size_t index) const {
    return specs()[index].access == Access::Write || specs()[index].access == Access::ReadWrite;
  }
  std::string quoted_name(std::size_t index) const {
    return std::string(1, '\'').append(specs()[index].name).append("'");
  }
  Copies& other(std::size_t index) { return others_[index - 1]; }
  void fill(std::size_t index, unsigned pattern);
  void poison(unsigned pattern);
  Outputs run(std::uint32_t copy, unsigned pattern, Verdict& verdict);
  Outputs read_outputs(Verdict& verdict);
  bool judge(const Outputs& outputs, const char* code, const std::string& when,
             Verdict& verdict) const;
  void check_inputs_unchanged(Verdict& verdict);
  std::string where() const { return launch_.distribution + " " + launch_.shape + ": "; }

  Device& device_;
  Case spec_;
  Op op_;
  std::unique_ptr<Kernel> kernel_;
  Launch launch_;  // its first buffer, the weights, lies in `packed_`
  std::shared_ptr<const Bytes> packed_;
  Copies weights_;              // one per rotation
  std::vector<Copies> others_;  // one each, in the order of the contract
  bool used_ = false;           // a launch wrote since the poison
};

// As a buffer is before a launch: what is only written holds poison.
void LayersTrial::fill(std::size_t index, unsigned pattern) {
  if (specs()[index].access != Access::Write) return other(index).fill(0, launch_.buffers[index]);
  Bytes bytes(other(index).bytes());
  fill_poison(bytes, pattern);
  other(index).fill(0, bytes);
}

void LayersTrial::poison(unsigned pattern) {
  for (std::size_t i = 1; i < specs().size(); ++i) {
    if (is_output(i)) fill(i, pattern);
  }
  used_ = false;
}

void LayersTrial::dispatch(std::uint64_t i) {
  std::vector<View> views = {weights_[static_cast<std::uint32_t>(i % weights_.count())]};
  for (const Copies& buffer : others_) views.push_back(buffer[0]);
  device_.dispatch(*kernel_, views, launch_.params);
  used_ = true;
}

Outputs LayersTrial::read_outputs(Verdict& verdict) {
  Outputs all{std::vector<Bytes>(specs().size()), {specs().size(), std::span<const std::byte>{}}};
  for (std::size_t i = 1; i < specs().size(); ++i) {
    if (!is_output(i)) continue;
    const Copies::Found found = other(i).read(0, all.bytes[i]);
    if (!found.guards_intact) {
      verdict.guards_intact = false;
      add_failure(verdict, Status::FailGuard, "guard_overwritten",
                  where() + "wrote outside " + quoted_name(i));
    }
    all.contents[i] = found.content;
  }
  return all;
}

Outputs LayersTrial::run(std::uint32_t copy, unsigned pattern, Verdict& verdict) {
  poison(pattern);
  dispatch(copy);
  device_.finish();
  return read_outputs(verdict);
}

bool LayersTrial::judge(const Outputs& outputs, const char* code, const std::string& when,
                        Verdict& verdict) const {
  const Comparison found = launch_.judge(outputs.contents);
  add_comparison(verdict, found);
  if (!found.equal()) {
    add_failure(verdict, Status::FailVerify, code, where() + when + describe_mismatches(found));
  } else if (found.suspects != 0) {
    add_failure(verdict, Status::SuspectNumeric, "quality_bound",
                where() + describe_suspects(found));
  }
  return found.equal();
}

void LayersTrial::check_inputs_unchanged(Verdict& verdict) {
  bool same = true;
  for (std::size_t i = 1; i < specs().size(); ++i) {
    if (is_output(i)) continue;
    Bytes bytes;
    const Copies::Found found = other(i).read(0, bytes);
    same = same && found.guards_intact && std::ranges::equal(found.content, launch_.buffers[i]);
  }
  weights_.each([&](std::uint32_t, const Copies::Found& found) {
    same = same && found.guards_intact &&
           std::memcmp(found.content.data(), packed_->data(), packed_->size()) == 0;
  });
  if (same) return;
  verdict.inputs_unchanged = false;
  add_failure(verdict, Status::FailGuard, "input_changed", where() + "changed one of its inputs");
}

// Two launches with different poison, on the first and the last copy of the weights.
Verdict LayersTrial::check() {
  Verdict verdict = start_verdict(op_);
  const Outputs left = run(0, 0, verdict);
  const Outputs again = run(weights_.count() - 1, 1, verdict);
  for (std::size_t i = 1; i < specs().size(); ++i) {
    const auto first = left.contents[i];
    const auto second = again.contents[i];
    if (std::equal(first.begin(), first.end(), second.begin(), second.end())) continue;
    const std::string name = quoted_name(i);
    if (specs()[i].access == Access::Write && any_poison_left(first, second)) {
      verdict.poison_cleared = false;
      add_failure(verdict, Status::FailVerify, "poison_left",
                  where() + "left part of " + name + " unwritten");
    } else {
      verdict.repeat_bitwise_equal = false;
      add_failure(verdict, Status::FailNondeterministic, "runs_differ",
                  where() + "two launches on the same input differ in " + name);
    }
  }
  judge(left, "wrong_values", "", verdict);
  verdict.inputs.push_back({launch_.distribution, spec_.seed, launch_.digest, verdict.mismatches});
  for (const auto bytes : left.contents) {
    verdict.output_digest = digest(bytes, verdict.output_digest);
  }
  check_inputs_unchanged(verdict);
  poison_outputs();
  return verdict;
}

void LayersTrial::check_timed(Verdict& verdict) {
  device_.finish();
  const Outputs left = read_outputs(verdict);
  const bool right = judge(left, "wrong_values_timed", "after timing ", verdict) && used_;
  check_inputs_unchanged(verdict);
  verdict.timed_output_verified = right && verdict.guards_intact && verdict.inputs_unchanged;
}

std::uint64_t LayersTrial::macs() const {
  const LayersParams p = layers_params(spec_);
  const std::uint64_t positions = std::uint64_t{spec_.layers->position} + 1;
  const std::uint64_t products = std::uint64_t{qkv_rows(p)} * p.hidden +
                                 std::uint64_t{p.hidden} * q_rows(p) +
                                 std::uint64_t{3} * p.ffn * p.hidden;
  return p.layers * (products + (op_ == Op::Products ? 0 : 2 * positions * q_rows(p)));
}

// Codes in and sums out; or of the cache all rows in front of the position are read, and those of the
// position written.
std::uint64_t LayersTrial::min_bytes() const {
  const LayersParams p = layers_params(spec_);
  if (op_ == Op::Products) return weight_bytes() + p.hidden * (1 + sizeof(std::int32_t));
  const std::uint64_t rows =
      2 * std::uint64_t{p.layers} * p.kv_heads * (spec_.layers->position + 1);
  return weight_bytes() + rows * row_bytes(kernel_->variant().packing, p.head_dim) +
         2 * std::uint64_t{p.hidden} * sizeof(float);
}

}  // namespace

std::unique_ptr<Trial> make_trial(Device& device, const KernelVariant& variant, const Case& spec,
                                  std::uint32_t rotate_buffers, ReferenceCache& references) {
  if (spec.layers) {
    return std::make_unique<LayersTrial>(device, variant, spec, rotate_buffers, references);
  }
  return std::make_unique<MatmulTrial>(device, variant, spec, rotate_buffers, references);
}

}  // namespace rotor
