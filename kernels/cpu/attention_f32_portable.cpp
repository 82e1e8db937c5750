#include "kernels/cpu/attention.h"

namespace rotor::cpu {

void attention_f32_portable(const CpuCall& call) noexcept {
  attention<F32Row>(call);
}

}  // namespace rotor::cpu
