#include "kernels/cpu/embed.h"

namespace rotor::cpu {

void embed_int8row_portable(const CpuCall& call) noexcept {
  embed<Int8Row>(call);
}

}  // namespace rotor::cpu
