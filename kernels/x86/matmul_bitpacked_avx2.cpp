#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/variant.h"
#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx2")
#include "kernels/x86/matmul_maddubs.h"

namespace rotor::cpu {

// Two bits per weight, 16 rows in two registers.
void matmul_bitpacked_avx2(const CpuCall& call) noexcept {
  matmul_maddubs<TwoBits<Ymm>>(call);
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
