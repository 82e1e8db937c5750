#include "kernels/cpu/layers.h"

namespace rotor::cpu {

void layers_int8row_portable(const CpuCall& call) noexcept {
  run_layers(call, {Packing::Int8Row, rope_int8row_portable, attention_int8row_portable});
}

}  // namespace rotor::cpu
