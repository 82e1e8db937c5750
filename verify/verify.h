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

 private:
  std::unique_ptr<Data> data_;
};

// The full battery of input distributions on small odd shapes and batches (measuring-and-verifying
// C.4), guards, poison, inputs unchanged, two runs bit-equal, batch rows equal to single tokens. Any
// op. Run once per row of the registry before it is trusted with anything.
Verdict check_battery(Device& device, const KernelVariant& variant, std::uint64_t seed);

// One matmul variant on one shape and batch: its buffers filled with checked data, ready to be timed.
class MatmulTrial {
 public:
  // Weights are copied into `rotate_buffers` buffers, with an output each. The reference is computed
  // by all cores of the host. Throws UnsupportedError and DeviceError. `references` must outlive the
  // trial.
  MatmulTrial(Device& device, const KernelVariant& variant, const Case& spec,
              std::uint32_t rotate_buffers, ReferenceCache& references);
  ~MatmulTrial();

  // Poisons outputs, launches and compares, twice, for the composite (a token of every kind, in as
  // many launches as a small batch needs) and for the data that is timed: llm_like, what a model
  // sees. Leaves that in the buffers and poison in the outputs. Every output is compared.
  Verdict check();
  // Enqueues launch number `i`; it uses weight and output buffer i modulo rotate_buffers.
  void dispatch(std::uint64_t i);
  // Poisons every output, so that check_timed sees what the timed launches wrote.
  void poison_outputs();
  // Compares what the timed launches left in every output buffer that was used, the guards and the
  // inputs; completes the verdict of `check`.
  void check_timed(Verdict& verdict);

  std::uint64_t macs() const;          // of one launch
  std::uint64_t min_bytes() const;     // weights + activations + outputs of one launch
  std::uint64_t weight_bytes() const;  // packed weights and scales

 private:
  struct State;
  std::unique_ptr<State> state_;
};

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
