#include "kernels/cpu/attention.h"

namespace rotor::cpu {

void attention_f16_portable(const CpuCall& call) noexcept {
  attention<F16Row>(call);
}

}  // namespace rotor::cpu
