#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/variant.h"
#include "kernels/x86/lanes_avx512.h"

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl")
#include "kernels/x86/attention.h"

namespace rotor::cpu {

void attention_f16_avx512(const CpuCall& call) noexcept {
  attention<Avx512, F16Lanes<Avx512>>(call);
}

}  // namespace rotor::cpu

ROTOR_TARGET_END
