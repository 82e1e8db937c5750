#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/variant.h"
#include "kernels/x86/lanes_avx2.h"

ROTOR_TARGET_BEGIN("avx2,fma,f16c")
#include "kernels/x86/attention.h"

namespace rotor::cpu {

void attention_f32_avx2(const CpuCall& call) noexcept {
  attention<Avx2, F32Lanes<Avx2>>(call);
}

}  // namespace rotor::cpu

ROTOR_TARGET_END
