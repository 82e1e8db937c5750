#include "kernels/cpu/head.h"

namespace rotor::cpu {

void head_f32_portable(const CpuCall& call) noexcept {
  head<F32Row>(call);
}

}  // namespace rotor::cpu
