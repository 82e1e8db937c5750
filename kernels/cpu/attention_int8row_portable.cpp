#include "kernels/cpu/attention.h"

namespace rotor::cpu {

void attention_int8row_portable(const CpuCall& call) noexcept {
  attention<Int8Row>(call);
}

}  // namespace rotor::cpu
