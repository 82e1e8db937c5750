#include "kernels/cpu/embed.h"

namespace rotor::cpu {

void embed_bf16_portable(const CpuCall& call) noexcept {
  embed<Bf16Row>(call);
}

}  // namespace rotor::cpu
