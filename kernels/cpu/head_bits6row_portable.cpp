#include "kernels/cpu/head.h"

namespace rotor::cpu {

void head_bits6row_portable(const CpuCall& call) noexcept {
  head<Bits6Row>(call);
}

}  // namespace rotor::cpu
