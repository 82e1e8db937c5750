#include "kernels/cpu/head.h"

namespace rotor::cpu {

void head_int8row_portable(const CpuCall& call) noexcept {
  head<Int8Row>(call);
}

}  // namespace rotor::cpu
