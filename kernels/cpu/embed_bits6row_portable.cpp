#include "kernels/cpu/embed.h"

namespace rotor::cpu {

void embed_bits6row_portable(const CpuCall& call) noexcept {
  embed<Bits6Row>(call);
}

}  // namespace rotor::cpu
