#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/variant.h"
#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx2")
#include "kernels/x86/matmul_maddubs.h"

namespace rotor::cpu {

// One byte per weight, 16 rows in two registers.
void matmul_int8_avx2(const CpuCall& call) noexcept {
  matmul_maddubs<Bytes<Ymm>>(call);
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
