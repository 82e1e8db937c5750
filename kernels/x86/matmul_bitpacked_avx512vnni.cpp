#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/variant.h"
#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "kernels/cpu/matmul_dot.h"
#include "kernels/x86/zmm.h"

namespace rotor::cpu {

// Two bits per weight, 16 rows per register.
void matmul_bitpacked_avx512vnni(const CpuCall& call) noexcept {
  matmul_dot<Zmm, TwoBits<Zmm>>(call);
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
