#include "kernels/cpu/rope.h"

namespace rotor::cpu {

void rope_int8row_portable(const CpuCall& call) noexcept {
  rope<Packing::Int8Row>(call);
}

}  // namespace rotor::cpu
