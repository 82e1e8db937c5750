#include <algorithm>
#include <cstring>

#include "kernels/variant.h"
#include "kernels/x86/lanes_avx2.h"

ROTOR_TARGET_BEGIN("avx2,fma,f16c")
#include "kernels/x86/head.h"

namespace rotor::cpu {

void head_bits6row_avx2(const CpuCall& call) noexcept {
  head<Avx2, Bits6Lanes<Avx2>>(call);
}

}  // namespace rotor::cpu

ROTOR_TARGET_END
