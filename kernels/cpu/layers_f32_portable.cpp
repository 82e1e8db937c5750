#include "kernels/cpu/layers.h"

namespace rotor::cpu {

void layers_f32_portable(const CpuCall& call) noexcept {
  run_layers(call, {Packing::F32, rope_f32_portable, attention_f32_portable});
}

}  // namespace rotor::cpu
