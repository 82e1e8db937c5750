#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "kernels/variant.h"
#include "kernels/x86/target.h"

ROTOR_TARGET_BEGIN("avx2,avxvnni")
#include "kernels/x86/ymm_dot.h"

namespace rotor::cpu {

// Two bits per weight, 16 rows in two registers.
void matmul_bitpacked_avxvnni(const CpuCall& call) noexcept {
  matmul_dot<YmmDot, TwoBits<YmmDot>>(call);
}

}  // namespace rotor::cpu
ROTOR_TARGET_END
