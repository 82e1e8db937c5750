#include "kernels/cpu/head.h"

namespace rotor::cpu {

void head_f16_portable(const CpuCall& call) noexcept {
  head<F16Row>(call);
}

}  // namespace rotor::cpu
