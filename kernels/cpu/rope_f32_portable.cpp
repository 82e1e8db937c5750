#include "kernels/cpu/rope.h"

namespace rotor::cpu {

void rope_f32_portable(const CpuCall& call) noexcept {
  rope<Packing::F32>(call);
}

}  // namespace rotor::cpu
