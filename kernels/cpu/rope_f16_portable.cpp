#include "kernels/cpu/rope.h"

namespace rotor::cpu {

void rope_f16_portable(const CpuCall& call) noexcept {
  rope<Packing::F16>(call);
}

}  // namespace rotor::cpu
