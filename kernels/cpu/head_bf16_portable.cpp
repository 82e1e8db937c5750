#include "kernels/cpu/head.h"

namespace rotor::cpu {

void head_bf16_portable(const CpuCall& call) noexcept {
  head<Bf16Row>(call);
}

}  // namespace rotor::cpu
