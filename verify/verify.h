// What verification offers, on one page. Nothing is timed here, and no clock is read.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "runtime/device.h"

namespace rotor {

// References are expensive on the timed shapes: computed once per (op, shape, batch, seed), kept.
class ReferenceCache {
 public:
  ReferenceCache();
  ~ReferenceCache();
  struct Data;
  Data& data() { return *data_; }

  // The packed weights of all layers; those of the last shape and seed are kept.
  std::shared_ptr<const std::vector<std::byte>> layers_weights(const Case& spec);

 private:
  std::unique_ptr<Data> data_;
  Case layers_of_;
  std::shared_ptr<const std::vector<std::byte>> layers_weights_;
};

// The full battery of input distributions on small odd shapes and batches (measuring-and-verifying
// C.4), guards, poison, inputs unchanged, two runs bit-equal, batch rows equal to single tokens. Any
// op. Run once per row of the registry before it is trusted with anything.
Verdict check_battery(Device& device, const KernelVariant& variant, std::uint64_t seed);

// A kernel with its buffers full of checked data, ready to be timed.
class Trial {
 public:
  virtual ~Trial() = default;
  // Poisons outputs, launches and compares, at least twice. Every output is compared. Leaves in the
  // buffers what is timed.
  virtual Verdict check() = 0;
  // Enqueues launch number `i`; it uses copy i modulo rotate_buffers of the weights.
  virtual void dispatch(std::uint64_t i) = 0;
  // Poisons every output, so that check_timed sees what the timed launches wrote.
  virtual void poison_outputs() = 0;
  // Compares what the timed launches left, the guards and the inputs; completes the verdict of `check`.
  virtual void check_timed(Verdict& verdict) = 0;

  virtual std::uint64_t macs() const = 0;          // of one launch
  virtual std::uint64_t min_bytes() const = 0;     // that one launch must at least move
  virtual std::uint64_t weight_bytes() const = 0;  // of these, packed weights, scales and gains
};

// A matmul, or all layers of a model for one token where the case has them, or their products
// (verify/layers_trial.cpp: each part of each layer is judged on what the kernel itself gave that part,
// products as the chain that they are; the weights of 2B4T are half a gigabyte on the host as on the
// device). Parameters and errors are those of MatmulTrial's constructor.
std::unique_ptr<Trial> make_trial(Device& device, const KernelVariant& variant, const Case& spec,
                                  std::uint32_t rotate_buffers, ReferenceCache& references);

// One matmul variant on one shape and batch.
class MatmulTrial final : public Trial {
 public:
  // Weights are copied into `rotate_buffers` buffers, with an output each. The reference is computed
  // by all cores of the host. Throws UnsupportedError and DeviceError. `references` must outlive the
  // trial.
  MatmulTrial(Device& device, const KernelVariant& variant, const Case& spec,
              std::uint32_t rotate_buffers, ReferenceCache& references);
  ~MatmulTrial() override;

  // For the composite (a token of every kind, in as many launches as a small batch needs) and for the
  // data that is timed: llm_like, what a model sees.
  Verdict check() override;
  void dispatch(std::uint64_t i) override;
  void poison_outputs() override;
  void check_timed(Verdict& verdict) override;

  std::uint64_t macs() const override;
  std::uint64_t min_bytes() const override;  // weights + activations + outputs
  std::uint64_t weight_bytes() const override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Of a case with layers: what its kernel is called with, by its op, and how much it reads of that.
bool is_products(const Case& spec);  // of all layers, and nothing else of them
LayersParams layers_params(const Case& spec);
ProductsParams products_params(const Case& spec);
std::uint64_t layers_weight_bytes(const Case& spec);

// Injected bugs and how many of them verification found (measuring-and-verifying A.2, A.5).
struct SelfTest {
  std::uint32_t mutants = 0;
  std::uint32_t caught = 0;
  std::vector<std::string> missed;  // also names the kernel without a bug, should it fail
};

// Puts the 20 wrong kernels of A.2, and four that misuse memory or chance, through check_battery and
// MatmulTrial. A mutant counts as caught when both find it, with the status that fits.
SelfTest run_kernel_self_test(Device& cpu, std::uint64_t seed);
// The same on a GPU: wrong versions of the Matmul that runs on every device of its backend, through
// check_battery. Throws as Device::prepare does, and UnsupportedError without that backend's rows.
SelfTest run_gpu_self_test(Device& device, std::uint64_t seed);

}  // namespace rotor
