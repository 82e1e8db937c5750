#include <algorithm>
#include <cassert>
#include <cstring>
#include <map>
#include <thread>
#include <tuple>

#include "core/random.h"
#include "verify/cases.h"
#include "verify/copies.h"
#include "verify/verdicts.h"
#include "verify/verify.h"

namespace rotor {
namespace {

// One input of a trial: activations and what should come of them.
struct Input {
  std::string distribution;
  std::vector<RowSpec> rows;
  std::vector<float> x;
  std::vector<float> token_scales;
  MatmulExpected expected;
  std::uint64_t digest = 0;
};

// Products with int8 activations share references, and so do those with floats.
using Key = std::tuple<bool, std::uint32_t, std::uint32_t, std::uint32_t, std::uint64_t>;

unsigned reference_threads() {
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace

struct ReferenceCache::Data {
  // The weights of the last shape; all its trials need the same.
  MatmulData weights;
  std::uint64_t weights_seed = 0;
  // Packed like the last variant's.
  Packing packing = Packing::None;
  std::shared_ptr<const Bytes> packed;
  std::map<Key, std::vector<Input>> inputs;

  const MatmulData& weights_of(const Case& spec);
  std::shared_ptr<const Bytes> packed_of(const Case& spec, const KernelVariant& variant);
  const std::vector<Input>& inputs_of(const Case& spec, Op op);
};

ReferenceCache::ReferenceCache() : data_(std::make_unique<Data>()) {}
ReferenceCache::~ReferenceCache() = default;

const MatmulData& ReferenceCache::Data::weights_of(const Case& spec) {
  if (weights.n == spec.n && weights.k == spec.k && weights_seed == spec.seed) return weights;
  packing = Packing::None;
  make_weights(composite(), spec.seed, spec.n, spec.k, weights);
  weights_seed = spec.seed;
  return weights;
}

std::shared_ptr<const Bytes> ReferenceCache::Data::packed_of(const Case& spec,
                                                             const KernelVariant& variant) {
  const MatmulData& data = weights_of(spec);
  if (packing != variant.packing) {
    packed = std::make_shared<const Bytes>(matmul_weights(variant, data));
  }
  packing = variant.packing;
  return packed;
}

// The composite, as often as it takes until every kind had a token; then what is timed.
const std::vector<Input>& ReferenceCache::Data::inputs_of(const Case& spec, Op op) {
  const Key key{op == Op::Matmul, spec.m, spec.n, spec.k, spec.seed};
  const auto found = inputs.find(key);
  if (found != inputs.end()) return found->second;
  weights_of(spec);
  std::vector<Input> made;
  const auto add = [&](const Distribution& distribution, std::uint32_t first_kind) {
    make_activations(distribution, spec.seed, spec.m, matmul_values(op), first_kind, weights);
    round_activations(op, weights);
    made.push_back({std::string(distribution.name), weights.rows, weights.x, weights.token_scales,
                    expect_matmul(op, weights, distribution.random_signs, reference_threads()),
                    matmul_digest(weights)});
  };
  const Distribution kinds = composite();
  for (std::uint32_t kind = 0; kind < kinds.rows.size(); kind += spec.m) add(kinds, kind);
  add(llm_like(), 0);
  return inputs.emplace(key, std::move(made)).first->second;
}

struct MatmulTrial::State {
  Device& device;
  Case spec;
  Op op;
  std::unique_ptr<Kernel> kernel;
  ReferenceCache::Data& references;
  MatmulParams params;
  std::vector<std::unique_ptr<Buffer>> activations;  // in the order of the contract
  std::vector<Bytes> activation_bytes;               // what is in the buffers now
  std::unique_ptr<Buffer> scales;
  Bytes scale_bytes;
  std::shared_ptr<const Bytes> packed;  // what is in every copy of the weights
  Copies weights;                       // one per rotation
  Copies outputs;                       // one per rotation
  std::vector<bool> used;               // outputs that a launch wrote since the poison

  void upload(const Input& input);
  void launch(std::uint32_t copy);
  Bytes run(std::uint32_t copy, unsigned pattern, Verdict& verdict);
  void check_input(const Input& input, Verdict& verdict);
  void check_inputs_unchanged(Verdict& verdict);
};

namespace {

std::unique_ptr<Buffer> make_buffer(Device& device, std::span<const std::byte> bytes) {
  std::unique_ptr<Buffer> buffer = device.allocate(bytes.size());
  device.write(*buffer, bytes);
  return buffer;
}

Bytes read_all(Device& device, Buffer& buffer) {
  Bytes bytes(buffer.bytes());
  device.read(buffer, bytes);
  return bytes;
}

MatmulData with_weights(const MatmulData& weights, const Input& input, std::uint32_t m) {
  MatmulData data;
  data.m = m;
  data.n = weights.n;
  data.k = weights.k;
  data.x = input.x;
  data.token_scales = input.token_scales;
  return data;
}

Bytes poison(std::size_t bytes, unsigned pattern) {
  Bytes content(bytes);
  fill_poison(content, pattern);
  return content;
}

void look_at_guards(const Copies::Found& found, Verdict& verdict) {
  if (found.guards_intact) return;
  verdict.guards_intact = false;
  add_failure(verdict, Status::FailGuard, "guard_overwritten", "wrote outside its output");
}

std::string where(const Case& spec, const Input& input) {
  return input.distribution + " m=" + std::to_string(spec.m) + " n=" + std::to_string(spec.n) +
         " k=" + std::to_string(spec.k) + ": ";
}

}  // namespace

MatmulTrial::MatmulTrial(Device& device, const KernelVariant& variant, const Case& spec,
                         std::uint32_t rotate_buffers, ReferenceCache& references) {
  assert(rotate_buffers > 0);
  ReferenceCache::Data& references_data = references.data();
  const std::vector<Input>& inputs = references_data.inputs_of(spec, variant.op);
  const MatmulData& weights = references_data.weights_of(spec);
  const std::shared_ptr<const Bytes> packed = references_data.packed_of(spec, variant);
  state_.reset(
      new State{device,
                spec,
                variant.op,
                device.prepare(variant),
                references_data,
                {spec.m, spec.n, spec.k, activation_stride(spec.k)},
                {},
                matmul_activations(variant.op, with_weights(weights, inputs.back(), spec.m)),
                nullptr,
                to_bytes(weights.scales),
                packed,
                Copies(device, packed->size(), rotate_buffers),
                Copies(device, std::size_t{spec.m} * spec.n * sizeof(float), rotate_buffers),
                std::vector<bool>(rotate_buffers)});
  State& s = *state_;
  for (const Bytes& bytes : s.activation_bytes) s.activations.push_back(make_buffer(device, bytes));
  s.scales = make_buffer(device, s.scale_bytes);
  s.weights.fill(*packed);
}

MatmulTrial::~MatmulTrial() = default;

void MatmulTrial::State::upload(const Input& input) {
  activation_bytes =
      matmul_activations(op, with_weights(references.weights_of(spec), input, spec.m));
  for (std::size_t i = 0; i < activations.size(); ++i) {
    device.write(*activations[i], activation_bytes[i]);
  }
}

void MatmulTrial::State::launch(std::uint32_t copy) {
  std::vector<View> views;
  for (const auto& buffer : activations) views.emplace_back(*buffer);
  views.push_back(weights[copy]);
  views.emplace_back(*scales);
  views.push_back(outputs[copy]);
  device.dispatch(*kernel, views, as_bytes(params));
  used[copy] = true;
}

// What one launch writes over the poison.
Bytes MatmulTrial::State::run(std::uint32_t copy, unsigned pattern, Verdict& verdict) {
  outputs.fill(copy, poison(outputs.bytes(), pattern));
  launch(copy);
  device.finish();
  Bytes bytes;
  const Copies::Found found = outputs.read(copy, bytes);
  look_at_guards(found, verdict);
  return {found.content.begin(), found.content.end()};
}

// Two launches with different poison, on the first and the last copy of the weights.
void MatmulTrial::State::check_input(const Input& input, Verdict& verdict) {
  upload(input);
  const Bytes outs[2] = {run(0, 0, verdict), run(outputs.count() - 1, 1, verdict)};
  if (any_poison_left(outs[0], outs[1])) {
    verdict.poison_cleared = false;
    add_failure(verdict, Status::FailVerify, "poison_left",
                where(spec, input) + "left part of 'out' unwritten");
  } else if (outs[0] != outs[1]) {
    verdict.repeat_bitwise_equal = false;
    add_failure(verdict, Status::FailNondeterministic, "runs_differ",
                where(spec, input) + "two launches on the same input differ");
  }
  const Comparison found = compare_matmul(input.expected, view_as<float>(outs[0]), spec.n);
  add_comparison(verdict, found);
  verdict.inputs.push_back({input.distribution, spec.seed, input.digest, found.mismatches});
  verdict.output_digest = digest(outs[0], verdict.output_digest);
  if (!found.equal()) {
    add_failure(verdict, Status::FailVerify, "wrong_values",
                where(spec, input) + describe_mismatches(found));
  } else if (found.suspects != 0) {
    add_failure(verdict, Status::SuspectNumeric, "quality_bound",
                where(spec, input) + describe_suspects(found));
  }
}

void MatmulTrial::State::check_inputs_unchanged(Verdict& verdict) {
  bool same = read_all(device, *scales) == scale_bytes;
  for (std::size_t i = 0; i < activations.size(); ++i) {
    same = same && read_all(device, *activations[i]) == activation_bytes[i];
  }
  weights.each([&](std::uint32_t, const Copies::Found& found) {
    same = same && found.guards_intact &&
           std::memcmp(found.content.data(), packed->data(), packed->size()) == 0;
  });
  if (same) return;
  verdict.inputs_unchanged = false;
  add_failure(verdict, Status::FailGuard, "input_changed", "changed one of its inputs");
}

Verdict MatmulTrial::check() {
  State& s = *state_;
  Verdict verdict = start_verdict(s.op);
  for (const Input& input : s.references.inputs_of(s.spec, s.op)) s.check_input(input, verdict);
  s.check_inputs_unchanged(verdict);
  poison_outputs();
  return verdict;
}

void MatmulTrial::dispatch(std::uint64_t i) {
  state_->launch(static_cast<std::uint32_t>(i % state_->outputs.count()));
}

void MatmulTrial::poison_outputs() {
  State& s = *state_;
  s.outputs.fill(poison(s.outputs.bytes(), 0));
  s.used.assign(s.used.size(), false);
}

void MatmulTrial::check_timed(Verdict& verdict) {
  State& s = *state_;
  s.device.finish();
  const Input& input = s.references.inputs_of(s.spec, s.op).back();
  bool right = std::find(s.used.begin(), s.used.end(), true) != s.used.end();
  s.outputs.each([&](std::uint32_t copy, const Copies::Found& found) {
    look_at_guards(found, verdict);
    if (!s.used[copy]) return;
    const Comparison values =
        compare_matmul(input.expected, view_as<float>(found.content), s.spec.n);
    add_comparison(verdict, values);
    right = right && values.equal();
    if (!values.equal()) {
      add_failure(verdict, Status::FailVerify, "wrong_values_timed",
                  where(s.spec, input) + "after timing " + describe_mismatches(values));
    }
  });
  s.check_inputs_unchanged(verdict);
  verdict.timed_output_verified = right && verdict.guards_intact && verdict.inputs_unchanged;
}

std::uint64_t MatmulTrial::macs() const {
  return std::uint64_t{state_->spec.m} * state_->spec.n * state_->spec.k;
}

std::uint64_t MatmulTrial::min_bytes() const {
  std::uint64_t bytes = weight_bytes() + state_->outputs.bytes();
  for (const auto& buffer : state_->activations) bytes += buffer->bytes();
  return bytes;
}

std::uint64_t MatmulTrial::weight_bytes() const {
  return state_->weights.bytes() + state_->scales->bytes();
}

}  // namespace rotor
