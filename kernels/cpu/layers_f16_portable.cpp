#include "kernels/cpu/layers.h"

namespace rotor::cpu {

void layers_f16_portable(const CpuCall& call) noexcept {
  run_layers(call, {Packing::F16, rope_f16_portable, attention_f16_portable});
}

}  // namespace rotor::cpu
