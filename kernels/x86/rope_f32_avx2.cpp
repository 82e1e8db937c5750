#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/variant.h"
#include "kernels/x86/lanes_avx2.h"

ROTOR_TARGET_BEGIN("avx2,fma,f16c")
#include "kernels/x86/rope.h"

namespace rotor::cpu {

void rope_f32_avx2(const CpuCall& call) noexcept {
  rope<Avx2, EncodeF32<Avx2>>(call);
}

}  // namespace rotor::cpu

ROTOR_TARGET_END
