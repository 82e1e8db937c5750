#include "kernels/cpu/embed.h"

namespace rotor::cpu {

void embed_f16_portable(const CpuCall& call) noexcept {
  embed<F16Row>(call);
}

}  // namespace rotor::cpu
