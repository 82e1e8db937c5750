#include <algorithm>
#include <cstring>

#include "kernels/variant.h"
#include "kernels/x86/lanes_avx512.h"

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl")
#include "kernels/x86/head.h"

namespace rotor::cpu {

void head_bits6row_avx512(const CpuCall& call) noexcept {
  head<Avx512, Bits6Lanes<Avx512>>(call);
}

}  // namespace rotor::cpu

ROTOR_TARGET_END
