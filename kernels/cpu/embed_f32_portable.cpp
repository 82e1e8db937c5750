#include "kernels/cpu/embed.h"

namespace rotor::cpu {

void embed_f32_portable(const CpuCall& call) noexcept {
  embed<F32Row>(call);
}

}  // namespace rotor::cpu
